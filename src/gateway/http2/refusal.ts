import type { ServerHttp2Stream } from "node:http2";
import type { HttpError } from "../http1/errors.ts";

/** The response to a request that is refused, as the HTTP/1.1 front writes it: the code in a header, code and sentence in the body. */
function refusalResponse(error: HttpError): { list: string[]; body: Buffer } {
  const body = Buffer.from(`${error.code}: ${error.text}\n`);
  const list = [
    ":status",
    // HTTP/2 has no upgrade that 426 could ask for (RFC 9113 §8.6).
    String(error.status === 426 ? 400 : error.status),
    "content-type",
    "text/plain; charset=utf-8",
    "content-length",
    String(body.length),
    "headrace-reason",
    error.code,
  ];
  return { list, body };
}

/** Answers a request with an error. What it still sends is the caller's to drop. */
export function refuse(stream: ServerHttp2Stream, error: HttpError, headOnly: boolean): void {
  if (stream.destroyed || stream.headersSent) return;
  const { list, body } = refusalResponse(error);
  stream.respond(list as never, { endStream: headOnly });
  if (!headOnly) stream.end(body);
}
