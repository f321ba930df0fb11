/** Takes a request to its route: checks what it brings by the declaration, and writes what the handler answers. */

import { messageOf } from "../base/errors.ts";
import { misfits } from "./check.ts";
import { type AdminErrorCode, adminErrors } from "./errors.ts";
import { type Entry, refusal } from "./guard.ts";
import { type HandlerTools, makeHandlers } from "./handlers.ts";
import {
  type Call,
  Failure,
  type Handler,
  type Handlers,
  isProbe,
  matchPath,
  Refusal,
  type Route,
} from "./route.ts";
import { type Routes, routes } from "./routes.ts";
import { type AnySchema, type JsonSchema, jsonSchema } from "./schema.ts";
import type { AdminEvent } from "./signals.ts";

/** Bodies hold a few numbers and names. */
const MAX_BODY_BYTES = 64 * 1024;

export interface ApiOptions extends HandlerTools {
  readonly log: (event: AdminEvent, message: string, fields?: Record<string, string>) => void;
}

export class Api {
  readonly #options: ApiOptions;
  readonly #handlers: Handlers<Routes>;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#handlers = makeHandlers(options);
  }

  /** @param entry where the request came in */
  async answer(request: Request, entry: Entry): Promise<Response> {
    // The Host header is part of it, and may be anything, or empty.
    const url = URL.parse(request.url, "http://localhost");
    if (url === null) return failure("admin_host_refused");
    const { pathname, searchParams } = url;
    const here = (Object.keys(routes) as (keyof Routes)[])
      .map((name) => ({ name, route: routes[name] as Route, params: matchPath(routes[name].path, pathname) }))
      .filter(({ params }) => params !== null);
    const method = request.method === "HEAD" ? "GET" : request.method;
    const found = here.find(({ route }) => route.method === method);
    // First of all: who may not use the API does not learn what is there.
    const refused = refusal(request, entry, found?.name ?? "");
    if (refused !== null) return refusedEntry(refused);
    if (here.length === 0) return failure("admin_not_found", `There is no ${pathname}.`);
    if (found === undefined) {
      const allow = here.map(({ route }) => route.method).join(", ");
      const refusedMethod = failure("admin_method_not_allowed", `${pathname} takes ${allow}.`);
      refusedMethod.headers.set("allow", allow);
      return refusedMethod;
    }
    const { name, route } = found;
    try {
      const query = readQuery(route, searchParams);
      if (query instanceof Refusal) return failure(query.code, query.message);
      const body = await readBody(route, request);
      if (body instanceof Refusal) return failure(body.code, body.message);
      // Each handler takes what its own route declares, which is what was read here.
      const handler = this.#handlers[name] as unknown as Handler<Route>;
      // Of the answer to a HEAD request Bun sends the head alone, with the length, and cancels a stream.
      return written(await handler({ params: found.params!, query, body, request } as Call<Route>));
    } catch (error) {
      this.#options.log("admin.failed", `${request.method} ${pathname} failed: ${messageOf(error)}`, {
        "exception.stacktrace": error instanceof Error ? (error.stack ?? "") : "",
      });
      return failure("admin_internal");
    }
  }
}

type Invalid = Refusal<"admin_request_invalid">;
const invalid = (message: string): Invalid => new Refusal("admin_request_invalid", message);

function readQuery(route: Route, given: URLSearchParams): Readonly<Record<string, unknown>> | Invalid {
  const declared = route.query ?? {};
  const values: Record<string, unknown> = {};
  for (const [name, text] of given) {
    const schema = Object.hasOwn(declared, name) ? declared[name]! : undefined;
    if (schema === undefined && isProbe(route.path)) continue;
    if (schema === undefined) return invalid(`${route.path} has no parameter ${name}.`);
    const value = fromText(schema, text);
    const wrong = misfits(jsonSchema(schema), value, {}, name);
    if (wrong.length > 0) return invalid(`${wrong.join("; ")}.`);
    values[name] = value;
  }
  return values;
}

/** Query parameters are texts: read as what the schema wants, or left as they are for it to refuse. */
function fromText({ shape }: AnySchema, text: string): unknown {
  if (shape.kind === "boolean")
    return text === "true" || text === "" ? true : text === "false" ? false : text;
  if ((shape.kind === "integer" || shape.kind === "number") && text.trim() !== "") {
    return Number.isFinite(Number(text)) ? Number(text) : text;
  }
  return text;
}

const bodySchemas = new WeakMap<AnySchema, JsonSchema>();

async function readBody({ body, path }: Route, request: Request): Promise<unknown> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) return tooLarge;
  if (body === undefined) return undefined;
  const [type] = (request.headers.get("content-type") ?? "").split(";");
  if (type?.trim().toLowerCase() !== "application/json")
    return invalid(`${path} takes a JSON body: content-type: application/json.`);
  const text = await readText(request);
  if (text === null) return tooLarge;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return invalid("The body is not JSON.");
  }
  let schema = bodySchemas.get(body);
  if (schema === undefined) {
    schema = jsonSchema(body);
    bodySchemas.set(body, schema);
  }
  const wrong = misfits(schema, value);
  return wrong.length === 0 ? value : invalid(`${wrong.join("; ")}.`);
}

const tooLarge = new Refusal("admin_body_too_large" as const);

/** Null when it is too much, which is known at the end where no length was said. */
async function readText(request: Request): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function written(answer: unknown): Response {
  if (answer instanceof Response) return answer;
  if (answer instanceof Refusal) return failure(answer.code as AdminErrorCode, answer.message);
  if (answer instanceof Failure) {
    const { code, message, detail } = answer;
    return json(422, { error: { code, message, ...(detail === "" ? {} : { detail }) } });
  }
  return json(200, answer);
}

function json(status: number, value: unknown): Response {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return new Response(`${JSON.stringify(value)}\n`, { status, headers });
}

/** Says how to come in, as RFC 6750 has it. */
function refusedEntry(code: AdminErrorCode): Response {
  const response = failure(code);
  if (response.status === 401) {
    const wrong = code === "admin_token_wrong" ? ', error="invalid_token"' : "";
    response.headers.set("www-authenticate", `Bearer realm="headrace"${wrong}`);
  }
  return response;
}

/** An error of the API. @param message empty: the sentence of the code's row */
function failure(code: AdminErrorCode, message = ""): Response {
  const row: { readonly status?: number; readonly text: string; readonly hint?: string } = adminErrors[code];
  const text = message === "" ? row.text : message;
  const error = { code, message: text, ...(row.hint === undefined ? {} : { hint: row.hint }) };
  return json(row.status ?? 500, { error });
}
