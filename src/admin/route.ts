/**
 * How a route of the admin API is declared, and what its handler is given and may answer.
 *
 * A declaration in routes.ts is all there is to say of a route: the server takes requests by it and refuses what it does not
 * declare, the compiler holds the handler to it, docs/openapi.json is written from it.
 */

import type { AdminErrorCode } from "./errors.ts";
import type { AnySchema, Schema, ValueOf } from "./schema.ts";

/** A route. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `{name}` stands for one part. */
  readonly path: string;
  /** One line, for lists. */
  readonly summary: string;
  /** What else there is to know; may be left out. */
  readonly doc?: string;
  /** What each `{name}` in the path means. */
  readonly params?: Readonly<Record<string, string>>;
  /** Parameters behind the question mark: integers, booleans and texts, each optional. */
  readonly query?: Readonly<Record<string, Schema<string> | Schema<number> | Schema<boolean>>>;
  /** The JSON body, when it takes one. */
  readonly body?: AnySchema;
  /** What it answers with 200. */
  readonly answer: AnySchema | RawAnswer;
  /** What else it may answer with, beside what every route may. */
  readonly errors: readonly AdminErrorCode[];
  /** An action that can fail for reasons of its own, with codes of docs/errors.md: status 422, and nothing has changed. */
  readonly fails?: true;
}

/** An answer that is not JSON. */
export interface RawAnswer {
  readonly raw: readonly string[];
  readonly doc: string;
  /** It is also answered with this status, when the thing is not as it should be. */
  readonly alsoStatus?: number;
  /** A stream of server-sent events: what stands in the `data` of each. */
  readonly data?: AnySchema;
}

/** @param types media types, the usual one first */
export function raw(types: readonly string[], doc: string, alsoStatus?: number): RawAnswer {
  return { raw: types, doc, ...(alsoStatus === undefined ? {} : { alsoStatus }) };
}

/** Server-sent events. @param data what stands in the `data` of each */
export function events(data: AnySchema, doc: string): RawAnswer {
  return { raw: ["text/event-stream"], doc, data };
}

/** Why a route does not answer as asked. */
export class Refusal<Code extends string = string> {
  readonly code: Code;
  /** Empty: the sentence of the code's row. */
  readonly message: string;

  constructor(code: Code, message = "") {
    this.code = code;
    this.message = message;
  }
}

/** An action was tried and did not work: status 422 with the code, the message and the detail of what it threw. */
export class Failure {
  readonly code: string;
  readonly message: string;
  /** Empty for none. */
  readonly detail: string;

  constructor({ code, message, detail = "" }: Pick<Failure, "code" | "message"> & { detail?: string }) {
    this.code = code;
    this.message = message;
    this.detail = detail;
  }
}

/** What a handler is given. */
export interface Call<R extends Route> {
  readonly params: { readonly [K in keyof R["params"]]: string };
  readonly query: {
    readonly [K in keyof R["query"]]?: R["query"][K] extends AnySchema ? ValueOf<R["query"][K]> : never;
  };
  /** Checked against the declaration. */
  readonly body: R["body"] extends AnySchema ? ValueOf<R["body"]> : undefined;
  readonly request: Request;
}

/** What a handler may answer. */
export type Answer<R extends Route> =
  | (R["answer"] extends AnySchema ? ValueOf<R["answer"]> : Response)
  | Refusal<R["errors"][number]>
  | (R["fails"] extends true ? Failure : never);

export type Handler<R extends Route> = (call: Call<R>) => Answer<R> | Promise<Answer<R>>;

/** One handler for each route of a table. */
export type Handlers<T extends Readonly<Record<string, Route>>> = { readonly [K in keyof T]: Handler<T[K]> };

/** What a route may answer with beside what it declares. */
export function commonErrors({ path }: Route): readonly AdminErrorCode[] {
  const all = [
    "admin_token_missing",
    "admin_token_wrong",
    "admin_host_refused",
    "admin_origin_refused",
    "admin_internal",
  ] as const;
  return isProbe(path) ? all : ["admin_request_invalid", "admin_body_too_large", ...all];
}

/** What probes and scrapers ask for, who are known to add parameters of their own: those are ignored. */
export function isProbe(path: string): boolean {
  return !path.startsWith("/v1/");
}

/** What fits the parts of a path, or null. */
export function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | null {
  const wanted = pattern.split("/");
  const parts = path.split("/");
  if (wanted.length !== parts.length) return null;
  const found: Record<string, string> = {};
  for (const [index, word] of wanted.entries()) {
    const part = parts[index]!;
    if (!word.startsWith("{")) {
      if (word !== part) return null;
      continue;
    }
    const value = decoded(part);
    if (value === null || value === "") return null;
    found[word.slice(1, -1)] = value;
  }
  return found;
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
