/** A gateway's access log on its standard output, which all gateways share. */

import { isatty } from "node:tty";
import type { FrontSettings } from "../gateway/settings.ts";
import type { AccessRecord } from "../model/access.ts";
import { jsonAccess, textAccess } from "../telemetry/access.ts";
import { paintFor } from "../telemetry/paint.ts";
import { lineWriter } from "../telemetry/writer.ts";

const STDOUT = 1;
/** Lines are collected this long: at ten thousand requests a second that is a hundred lines a write. */
const LINGER_MS = 10;

/** Whose requests a writer logs; null for those that are no service's. */
export type Whose = { readonly service: string; readonly revision: string } | null;

export interface AccessLog {
  writer(whose: Whose): (record: AccessRecord) => void;
  /** Writes out what waits, or gives up after `ms`. */
  close(ms: number): Promise<boolean>;
}

/** Null when there is to be none. */
export function openAccessLog(settings: FrontSettings): AccessLog | null {
  const { accessLog } = settings;
  if (accessLog === "off") return null;
  const encode = (whose: Whose) =>
    accessLog === "json"
      ? jsonAccess(whose ?? { service: "", revision: "" })
      : textAccess(paintFor(isatty(STDOUT), process.env));
  const dropped = (count: number): string =>
    accessLog === "json"
      ? `{"level":"warn","event":"access_log.dropped","count":${count}}\n`
      : `${count} lines of the access log were dropped: the reader is too slow\n`;
  const writer = lineWriter(STDOUT, { lingerMs: LINGER_MS, dropped });
  return {
    writer(whose) {
      const line = encode(whose);
      return (record) => writer.write(line(record));
    },
    close: (ms) => writer.close(ms),
  };
}
