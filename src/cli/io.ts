import { writeSync } from "node:fs";
import { systemCode } from "../base/errors.ts";
import type { Environment } from "../config/parse.ts";

/** A command's surroundings, so that commands can be called by tests. */
export interface Io {
  /** Writes to stdout. */
  readonly out: (text: string) => void;
  /** Writes to stderr. */
  readonly err: (text: string) => void;
  readonly env: Environment;
  /** Absolute. */
  readonly cwd: string;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** Aborted once nobody reads stdout any more. */
  readonly gone: AbortSignal;
  /** Columns of the terminal that stdout goes to, now; 100 when it is none. */
  readonly columns: number;
  /** The same of stderr. */
  readonly stderrColumns: number;
}

/** Columns where there is no terminal. */
const NO_TERMINAL = 100;
/** How long to sleep before the next try when a pipe is full. */
const RETRY_MS = 2;

/** The surroundings of this process. */
export function processIo(): Io {
  const gone = new AbortController();
  const env = { ...process.env };
  // Processes that are started inherit the rest. Apps have no business with it.
  delete process.env["HEADRACE_ADMIN_TOKEN"];
  return {
    out: (text) => {
      if (!writeAll(1, text)) gone.abort();
    },
    err: (text) => {
      writeAll(2, text);
    },
    gone: gone.signal,
    env,
    cwd: process.cwd(),
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true,
    get columns() {
      return process.stdout.columns ?? NO_TERMINAL;
    },
    get stderrColumns() {
      return process.stderr.columns ?? NO_TERMINAL;
    },
  };
}

/** A command's few lines, whole before the process exits. False when nobody reads them. */
function writeAll(fd: number, text: string): boolean {
  const bytes = Buffer.from(text);
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      if (systemCode(error) !== "EAGAIN") return false;
      Bun.sleepSync(RETRY_MS);
    }
  }
  return true;
}
