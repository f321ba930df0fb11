/** A listener on a port of its own in front of a recording pipeline; everything is undone after each test. */
import { afterEach, setDefaultTimeout } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogRecord } from "../../../model/log.ts";
import type { Refusal } from "../../client.ts";
import { Listener } from "../../listener.ts";
import type { GatewaySettings, HttpLimits } from "../../settings.ts";
import { type Address, RawClient } from "./client.ts";
import { settings } from "./harness.ts";
import { answerWhenComplete, Recorded } from "./recorder.ts";

const undo: (() => void)[] = [];

/** Has `step` done after the test. */
export function later(step: () => void): void {
  undo.push(step);
}

/** To be called once in a file of tests. Their time limit is beyond the deadlines of what they wait for. */
export function undoAfterEach(): void {
  setDefaultTimeout(60_000);
  afterEach(() => {
    for (const step of undo.splice(0).reverse()) step();
  });
}

/** A listener with its requests. */
export interface Running {
  readonly listener: Listener;
  readonly address: Address;
  readonly requests: Recorded[];
  readonly refusals: Refusal[];
  readonly logs: LogRecord[];
  readonly counts: { opened: number; closed: number };
  /** Waits until `done` holds; looked at after every event of a request. */
  until(what: string, done: () => boolean): Promise<void>;
}

export async function run(
  react: (request: Recorded) => void = answerWhenComplete,
  http: Partial<HttpLimits> = {},
  more: Partial<GatewaySettings> = {},
): Promise<Running> {
  const requests: Recorded[] = [];
  const refusals: Refusal[] = [];
  const logs: LogRecord[] = [];
  const counts = { opened: 0, closed: 0 };
  const all = settings(http, more);
  const listener = await Listener.start({
    settings: all,
    accept: (head, client) => {
      const request = new Recorded(head, client, react);
      requests.push(request);
      if (head.bodyLength !== 0) client.takeBody(Number.MAX_SAFE_INTEGER);
      react(request);
      return request;
    },
    refused: (refusal) => refusals.push(refusal),
    opened: () => counts.opened++,
    closed: () => counts.closed++,
    log: (record) => logs.push(record),
  });
  later(() => listener.close());
  const until = async (what: string, done: () => boolean): Promise<void> => {
    const deadline = performance.now() + 20_000;
    while (!done()) {
      if (performance.now() > deadline) throw new Error(`no ${what}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const address = all.uds === "" ? { port: listener.port } : { unix: all.uds };
  return { listener, address, requests, refusals, logs, counts, until };
}

export async function client(running: Running): Promise<RawClient> {
  const raw = await RawClient.connect(running.address);
  later(() => raw.terminate());
  return raw;
}

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "headrace-listener-"));
  later(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
