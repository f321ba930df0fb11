/** A server with an app: how it is started, and who it is held against. */
import type { Launch } from "../frame/processes.ts";

/** An app of bench/apps/, and a request whose answer is known. */
export interface App {
  readonly name: string;
  /** Module and attribute. */
  readonly target: string;
  readonly kind: "asgi" | "wsgi" | "function";
  /** What is asked for by default. */
  readonly path: string;
  /** Bytes of the body of a right answer. */
  readonly length: number;
}

/** How large a stack is. The same for all that are compared. */
export interface Size {
  /** Processes that run the app. */
  readonly processes: number;
  /** Requests that one of them works on at a time, where a server has such a limit. Threads, for WSGI. */
  readonly slots: number;
}

export interface Place {
  readonly port: number;
  /** A second port, for what a stack needs beside the one that is measured. */
  readonly spare: number;
  /** An empty folder. */
  readonly scratch: string;
}

export interface Stack {
  readonly name: string;
  /** Whose place it takes in a part's choice of stacks. Default: its own name. */
  readonly alias?: string;
  /** Name of the Headrace that it is held against; null for a Headrace. */
  readonly against: string | null;
  /** What answers when it is up. Default: the app's path. */
  readonly ready?: string;
  /** Null when it can be started; else why not. */
  readonly missing: string | null;
  launch(place: Place): Launch;
}
