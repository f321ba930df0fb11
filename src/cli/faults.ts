import { Exit, messageOf } from "../base/errors.ts";
import type { LogSink } from "../model/log.ts";
import { cliRecord } from "./events.ts";

/** Where faults go. */
export interface FaultPorts {
  readonly log: LogSink;
  /** Writes out what was logged, as far as readers take it at once. */
  readonly flushNow: () => void;
  readonly exit: (code: number) => void;
}

/**
 * Tells what nobody expected in the log, where everything else is told. A forgotten rejection leaves the process as it was, so it goes on;
 * after an exception nobody can say what state it is in, so it ends, and instances and gateways with it. Answers how to stop
 * listening.
 */
export function tellFaults(ports: FaultPorts): () => void {
  const exception = (error: unknown) => {
    ports.log(
      cliRecord("cli.fault", `A fault of Headrace itself ends it: ${messageOf(error)}`, stackOf(error)),
    );
    ports.flushNow();
    ports.exit(Exit.SYSTEM);
  };
  const rejection = (reason: unknown) => {
    ports.log(
      cliRecord("cli.rejection", `A fault of Headrace itself: ${messageOf(reason)}`, stackOf(reason)),
    );
  };
  process.on("uncaughtException", exception);
  process.on("unhandledRejection", rejection);
  return () => {
    process.off("uncaughtException", exception);
    process.off("unhandledRejection", rejection);
  };
}

function stackOf(error: unknown): Record<string, string> {
  return error instanceof Error && error.stack !== undefined ? { "exception.stacktrace": error.stack } : {};
}
