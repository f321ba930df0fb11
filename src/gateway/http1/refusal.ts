import type { Peers, Refusal } from "../client.ts";
import { httpDate } from "./date.ts";
import { type HttpError, HttpErrors } from "./errors.ts";
import type { RequestLine } from "./request-line.ts";
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

/** Longest target that a refusal carries into the log. */
const LOGGED_TARGET = 2048;

/** What metrics and the access log are told. `line` is null when the parser has not said anything about these bytes. */
export function refusalOf(
  error: HttpError,
  peers: Peers,
  line: RequestLine | null,
  bytes: Uint8Array,
): Refusal {
  const { code, status } = error;
  if (line === null) return { status, code, peers, method: "", target: "" };
  const end = Math.min(line.targetEnd, line.targetStart + LOGGED_TARGET);
  const target = Buffer.from(bytes.subarray(line.targetStart, end)).toString("latin1");
  return { status, code, peers, method: line.method, target };
}
