/** Whose doing an error is: the user can mend it (flags, app, environment), or it is the system's own. */
export type Whose = "user" | "system";

/** Exit codes of the `headrace` command. */
export const Exit = {
  OK: 0,
  /** Something went wrong that is not the user's doing. */
  SYSTEM: 1,
  /** Flags, files, ports, certificates, interpreter: nothing was started. */
  USAGE: 2,
  /** The app did not start. */
  APP: 3,
} as const;

/**
 * One row of a room's errors.ts. The key of the row is the error's code: stable, in lower case with underscores, listed in
 * docs/errors.md, never used again for anything else.
 */
export interface ErrorRow {
  /** HTTP status that clients get, where the error is answered to a client. */
  readonly status?: number;
  /** Exit code of the command, where the error ends it. */
  readonly exit?: number;
  /** WebSocket close code, where the error closes one. */
  readonly close?: number;
  readonly whose?: Whose;
  /** What it means, one sentence. */
  readonly text: string;
  /** What to do about it, one sentence. */
  readonly hint?: string;
}

/** A room's errors by code. */
export type ErrorTable = Readonly<Record<string, ErrorRow>>;

/** An error with a stable code, told to a person as one sentence and one thing to do. */
export class HeadraceError extends Error {
  override readonly name = "HeadraceError";
  /** Stable code, listed in docs/errors.md. */
  readonly code: string;
  /** Exit code for the command when this error ends it. */
  readonly exit: number;
  /** What to do, one sentence; empty when there is nothing. */
  readonly hint: string;
  /** Text that belongs under the sentence as it is, such as a Python traceback; empty for none. */
  readonly detail: string;

  constructor(
    code: string,
    message: string,
    more: {
      readonly exit?: number;
      readonly hint?: string;
      readonly detail?: string;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.exit = more.exit ?? Exit.SYSTEM;
    this.hint = more.hint ?? "";
    this.detail = more.detail ?? "";
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's error name (`EADDRINUSE`, `ENOENT`, ...) of whatever was thrown, or an empty string. */
export function systemCode(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
