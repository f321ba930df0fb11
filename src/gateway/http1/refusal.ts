import { httpDate } from "./date.ts";
import { type HttpError, HttpErrors } from "./errors.ts";
import { statusLine } from "./status.ts";

/** The response to a request that is refused: the code in a header for programs, code and sentence in the body. The connection closes. */
export function errorResponse(error: HttpError, headOnly: boolean): Uint8Array {
  const body = `${error.code}: ${error.text}\n`;
  const extra =
    error === HttpErrors.websocketVersion ? "sec-websocket-version: 13\r\nupgrade: websocket\r\n" : "";
  const head =
    `content-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\n` +
    `headrace-reason: ${error.code}\r\n${extra}connection: ${extra === "" ? "close" : "close, upgrade"}\r\n\r\n`;
  return Buffer.concat([
    statusLine(error.status)!,
    httpDate(),
    Buffer.from(headOnly ? head : head + body, "latin1"),
  ]);
}
