/** A pipeline that keeps what it was given, and answers as the test says. */
import type { ClientSide, ExchangeSide, GoneReason, RequestHead } from "../../client.ts";

/** One request as the pipeline saw it. */
export class Recorded implements ExchangeSide {
  readonly chunks: Uint8Array[] = [];
  complete = false;
  sentBytes = 0;
  goneFor: GoneReason | "" = "";
  finishedBytes = -1;
  closedCode = 0;
  readonly messages: string[] = [];

  constructor(
    readonly head: RequestHead,
    readonly client: ClientSide,
    private readonly onChange: (request: Recorded) => void,
  ) {
    this.complete = head.bodyLength === 0;
  }

  get target(): string {
    return Buffer.from(this.head.target).toString("latin1");
  }

  /** `name: value` lines. */
  get fields(): string[] {
    if (this.head.fields.length === 0) return [];
    const parts = Buffer.from(this.head.fields).toString("latin1").split("\0");
    return parts.flatMap((part, i) => (i % 2 === 0 ? [`${part}: ${parts[i + 1]}`] : []));
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  body(chunk: Uint8Array, end: boolean): void {
    if (chunk.length > 0) this.chunks.push(chunk);
    if (this.complete) throw new Error("body after its end");
    this.complete = end;
    this.onChange(this);
  }

  sent(bytes: number): void {
    this.sentBytes += bytes;
  }

  message(_text: boolean, chunk: Uint8Array): void {
    this.messages.push(Buffer.from(chunk).toString("utf8"));
  }

  closed(code: number): void {
    this.closedCode = code;
  }

  gone(reason: GoneReason): void {
    if (this.goneFor !== "" || this.finishedBytes >= 0) throw new Error("gone after the end");
    this.goneFor = reason;
  }

  finished(bytes: number): void {
    if (this.goneFor !== "" || this.finishedBytes >= 0) throw new Error("finished after the end");
    this.finishedBytes = bytes;
  }
}

/** Header pairs as the protocol writes them. */
export function pairs(...lines: readonly string[]): Uint8Array {
  const parts = lines.map((line) => line.replace(": ", "\0"));
  return Uint8Array.from(Buffer.from(parts.join("\0"), "latin1"));
}

/** Bytes of a Latin-1 text. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

/** Grants the whole body and answers 200 with a line that tells what came. */
export function answerWhenComplete(request: Recorded): void {
  if (!request.complete) return;
  const body = bytes(`${request.head.method} ${request.target} ${request.text.length}\n`);
  request.client.respond(200, pairs("content-type: text/plain"), false, false);
  request.client.body(body, true);
}

/** A whole request. */
export const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** A pipeline, or a port, that does nothing. */
export const nothing = (): void => undefined;

/** The output without the date lines. */
export function undated(harness: { readonly output: string }): string {
  return harness.output.replace(/date: [^\r]*\r\n/g, "");
}

/** A pipeline that answers each request at once with these calls. */
export function answering(answer: (request: Recorded) => void): (request: Recorded) => void {
  return (request) => {
    if (request.chunks.length === 0 && request.finishedBytes < 0) answer(request);
  };
}
