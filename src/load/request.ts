/**
 * The requests of a run, ready to be written. What is the same every time is one piece of bytes made at the start; only what has
 * placeholders is put together for each request.
 */

import { isUtf8 } from "node:buffer";
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
const PLACEHOLDERS = /\{\{(uuid|seq|time|random:-?\d{1,15}:-?\d{1,15})\}\}/g;

/** What the placeholders of one request stand for: the same `{{uuid}}` in path and body is the same. */
export interface Values {
  /** Unique in the whole run, rising. */
  readonly seq: number;
  readonly random: Random;
}

/** A request that can be written. */
export class Request {
  readonly name: string;
  readonly origin: number;
  readonly headOnly: boolean;
  /** May be sent again when a kept connection turns out to be closed: RFC 9110, 9.2.2. */
  readonly idempotent: boolean;
  readonly #fixed: Buffer | null;
  readonly #plan: RequestPlan;
  readonly #body: Buffer;
  readonly #binary: boolean;

  constructor(plan: RequestPlan) {
    this.name = plan.name;
    this.origin = plan.origin;
    this.headOnly = plan.method === "HEAD";
    this.idempotent = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"].includes(plan.method);
    this.#plan = plan;
    this.#body = Buffer.from(plan.body ?? "", "base64");
    this.#binary = !isUtf8(this.#body);
    const body = plan.body === null ? null : this.#body;
    this.#fixed = hasPlaceholder(plan, body) ? null : serialize(plan, plan.path, headerText(plan), body);
  }

  /** Its body as a message of a WebSocket: text, or data where it is no text. */
  message(values: Values): string | Buffer {
    const body = filled(this.#body, filler(values));
    if (this.#binary) return body;
    return body.length === 0 ? "ping" : body.toString();
  }

  /** Its bytes on the wire. */
  bytes(values: Values): Buffer {
    if (this.#fixed !== null) return this.#fixed;
    return this.#fill(values);
  }

  #fill(values: Values): Buffer {
    const plan = this.#plan;
    const fill = filler(values);
    const body = plan.body === null ? null : filled(this.#body, fill);
    return serialize(plan, fill(plan.path), fill(headerText(plan)), body);
  }
}

/** Fills in the placeholders of texts that belong together. */
export function filler({ seq, random }: Values): (text: string) => string {
  let uuid = "";
  const value = (placeholder: string): string => {
    if (placeholder === "uuid") {
      if (uuid === "") uuid = uuidOf(random);
      return uuid;
    }
    if (placeholder === "seq") return String(seq);
    if (placeholder === "time") return String(Date.now());
    const [, low, high] = placeholder.split(":").map(Number) as [number, number, number];
    return String(random.integer(Math.min(low, high), Math.max(low, high)));
  };
  return (text) => text.replace(PLACEHOLDERS, (_, placeholder: string) => value(placeholder));
}

/** Bytes that are no text keep their values in latin1; placeholders are ASCII. */
function filled(body: Buffer, fill: (text: string) => string): Buffer {
  return Buffer.from(fill(body.toString("latin1")), "latin1");
}

function hasPlaceholder(plan: RequestPlan, body: Buffer | null): boolean {
  return [plan.path, headerText(plan), body?.toString("latin1") ?? ""].some(
    (text) => text.search(PLACEHOLDERS) !== -1,
  );
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
