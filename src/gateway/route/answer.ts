/** Answers that no service is asked for: no route, a redirect. */

import type { AccessRecord } from "../../model/access.ts";
import { joinPairs } from "../../protocol/fields.ts";
import type { ClientSide, ExchangeSide, RequestHead } from "../client.ts";
import { GATEWAY_ERRORS, type GatewayErrorCode } from "../errors.ts";
import type { Meter } from "../meter.ts";
import { problem } from "../problem.ts";
import { refusalRecord } from "../record.ts";

/** Where such answers are counted and logged. */
export interface AnswerPorts {
  readonly meter: Meter;
  readonly access: ((record: AccessRecord) => void) | null;
}

/** A refusal by the routes. */
export function refuse(code: GatewayErrorCode, requestId: string): Reply {
  const { fields, body } = problem(code, requestId, 0);
  return { status: GATEWAY_ERRORS[code].status, reason: code, fields, body };
}

export function redirect(status: number, location: string): Reply {
  const fields = joinPairs([
    ["location", location],
    ["content-length", "0"],
  ]);
  return { status, reason: "", fields, body: null };
}

export interface Reply {
  readonly status: number;
  /** Empty: it is no refusal. */
  readonly reason: GatewayErrorCode | "";
  readonly fields: Uint8Array;
  readonly body: Uint8Array | null;
}

/** A request whose answer is known from the start. What the client still sends is the front's affair. */
export class Answer implements ExchangeSide {
  readonly #ports: AnswerPorts;
  readonly #head: RequestHead;
  readonly #client: ClientSide;
  readonly #requestId: string;
  readonly #arrivedAt = performance.now();
  readonly #reply: Reply;
  #recorded = false;

  constructor(
    ports: AnswerPorts,
    request: { head: RequestHead; client: ClientSide; requestId: string },
    reply: Reply,
  ) {
    this.#ports = ports;
    this.#head = request.head;
    this.#client = request.client;
    this.#requestId = request.requestId;
    this.#reply = reply;
  }

  /** Sends it. Apart from the constructor: a front may report back at once. */
  send(): this {
    const { status, fields, body } = this.#reply;
    this.#client.respond(status, fields, body === null, false);
    if (body !== null) this.#client.body(body, true);
    return this;
  }

  body(): void {}
  sent(): void {}
  message(): void {}
  closed(): void {}

  gone(): void {
    this.#record(0, 0);
  }

  finished(bytes: number): void {
    this.#record(this.#reply.status, bytes);
  }

  #record(status: number, responseBytes: number): void {
    if (this.#recorded) return;
    this.#recorded = true;
    const { meter, access } = this.#ports;
    const { reason } = this.#reply;
    meter.status(status);
    if (reason !== "") meter.reason(reason);
    access?.({
      ...refusalRecord(this.#head, this.#client.peers, { status, reason, arrivedAt: this.#arrivedAt }),
      requestId: this.#requestId,
      responseBytes,
    });
  }
}
