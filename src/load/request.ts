/**
 * The requests of a run, ready to be written. What is the same every time is one piece of bytes made at the start; only what has
 * placeholders is put together for each request.
 */

import type { Random } from "./random.ts";

/** One kind of request, as the plan says it. Everything may hold placeholders but the method. */
export interface RequestPlan {
  /** What its figures stand under. */
  readonly name: string;
  readonly method: string;
  /** Origin form: path and query. */
  readonly path: string;
  /** In order, `host` among them. */
  readonly headers: readonly (readonly [string, string])[];
  /** Base64 of the body's bytes; null for none. */
  readonly body: string | null;
  readonly weight: number;
  /** Which of the plan's origins. */
  readonly origin: number;
}

/** `{{uuid}}`, `{{seq}}`, `{{time}}`, `{{random:1:100}}`. */
const PLACEHOLDER = /\{\{(uuid|seq|time|random:-?\d{1,15}:-?\d{1,15})\}\}/;

/** What the placeholders of one request stand for: the same `{{uuid}}` in path and body is the same. */
export interface Values {
  /** Unique in the whole run, rising. */
  readonly seq: number;
  readonly random: Random;
}

type Piece = string | ((values: Values) => string);

/** A request that can be written. */
export class Request {
  readonly name: string;
  readonly origin: number;
  readonly headOnly: boolean;
  /** May be sent again when a kept connection turns out to be closed: RFC 9110, 9.2.2. */
  readonly idempotent: boolean;
  readonly #fixed: Buffer | null;
  readonly #plan: RequestPlan;

  constructor(plan: RequestPlan) {
    this.name = plan.name;
    this.origin = plan.origin;
    this.headOnly = plan.method === "HEAD";
    this.idempotent = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"].includes(plan.method);
    this.#plan = plan;
    const body = plan.body === null ? null : Buffer.from(plan.body, "base64");
    this.#fixed = hasPlaceholder(plan, body) ? null : serialize(plan, plan.path, headerText(plan), body);
  }

  /** Its bytes on the wire. */
  bytes(values: Values): Buffer {
    if (this.#fixed !== null) return this.#fixed;
    return this.#fill(values);
  }

  #fill(values: Values): Buffer {
    const plan = this.#plan;
    const uuid = uuidOf(values.random);
    const fill = (text: string) =>
      pieces(text, uuid)
        .map((piece) => (typeof piece === "string" ? piece : piece(values)))
        .join("");
    const body = plan.body === null ? null : Buffer.from(plan.body, "base64");
    // Bytes that are no text keep their values in latin1; placeholders are ASCII.
    const filled = body === null ? null : Buffer.from(fill(body.toString("latin1")), "latin1");
    return serialize(plan, fill(plan.path), fill(headerText(plan)), filled);
  }
}

function hasPlaceholder(plan: RequestPlan, body: Buffer | null): boolean {
  return [plan.path, headerText(plan), body?.toString("latin1") ?? ""].some((text) => PLACEHOLDER.test(text));
}

function headerText(plan: RequestPlan): string {
  return plan.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
}

function serialize(plan: RequestPlan, path: string, headers: string, body: Buffer | null): Buffer {
  const length = body !== null || ["POST", "PUT", "PATCH"].includes(plan.method);
  const ending = length ? `content-length: ${body?.length ?? 0}\r\n\r\n` : "\r\n";
  const head = Buffer.from(`${plan.method} ${path} HTTP/1.1\r\n${headers}${ending}`, "latin1");
  return body === null ? head : Buffer.concat([head, body]);
}

function pieces(text: string, uuid: string): Piece[] {
  const result: Piece[] = [];
  let rest = text;
  for (let found = PLACEHOLDER.exec(rest); found !== null; found = PLACEHOLDER.exec(rest)) {
    result.push(rest.slice(0, found.index), standIn(found[1]!, uuid));
    rest = rest.slice(found.index + found[0].length);
  }
  result.push(rest);
  return result;
}

function standIn(placeholder: string, uuid: string): Piece {
  if (placeholder === "uuid") return uuid;
  if (placeholder === "seq") return (values) => String(values.seq);
  if (placeholder === "time") return () => String(Date.now());
  const [, low, high] = placeholder.split(":").map(Number) as [number, number, number];
  return (values) => String(values.random.integer(Math.min(low, high), Math.max(low, high)));
}

/** A version 4 UUID from the run's own random numbers: the same seed sends the same ones. */
function uuidOf(random: Random): string {
  const hex = [0, 0, 0, 0].map(() => random.bits().toString(16).padStart(8, "0")).join("");
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Draws requests by weight. */
export class RequestMix {
  readonly #requests: readonly Request[];
  readonly #upTo: readonly number[];
  readonly #total: number;

  constructor(plans: readonly RequestPlan[]) {
    this.#requests = plans.map((plan) => new Request(plan));
    let total = 0;
    this.#upTo = plans.map(({ weight }) => (total += weight));
    this.#total = total;
  }

  draw(random: Random): Request {
    if (this.#requests.length === 1) return this.#requests[0]!;
    const at = random.next() * this.#total;
    return this.#requests[this.#upTo.findIndex((upTo) => at < upTo)] ?? this.#requests.at(-1)!;
  }
}
