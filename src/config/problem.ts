import type { ConfigErrorCode } from "./errors.ts";

/** One thing that is wrong with what the user wrote. */
export interface Problem {
  /** Stable code, see errors.ts. */
  readonly code: ConfigErrorCode;
  /** What it is about, as the user wrote it: `--port`, `$PORT`, `app`. Empty when the message names it. */
  readonly subject: string;
  /** What is wrong, one sentence. */
  readonly message: string;
  /** What to write instead, one sentence. */
  readonly instead: string;
}
