/** How the HTTP/1.1 front refuses. The connection is closed after every one of these. */

/** One reason to refuse: the status it is answered with, and one sentence for people. */
export interface HttpError {
  /** Stable code: documented, logged and sent in the `headrace-reason` header. */
  readonly code: string;
  readonly status: number;
  readonly text: string;
}

function row(code: string, status: number, text: string): HttpError {
  return { code, status, text };
}

/** Every refusal of the HTTP/1.1 front. */
export const HttpErrors = {
  requestLine: row("HR_HTTP_BAD_REQUEST_LINE", 400, "The request line is not METHOD SP TARGET SP HTTP/1.1."),
  method: row("HR_HTTP_BAD_METHOD", 400, "The method is not a token."),
  target: row(
    "HR_HTTP_BAD_TARGET",
    400,
    "The request target has a byte or a form that HTTP does not allow here.",
  ),
  version: row("HR_HTTP_VERSION", 505, "Only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here."),
  preface: row("HR_HTTP_PREFACE", 505, "HTTP/2 is switched off on this port."),
  connect: row("HR_HTTP_CONNECT", 501, "This is not a proxy: CONNECT is not supported."),
  bareLf: row("HR_HTTP_BARE_LF", 400, "A line ends with LF without CR."),
  bareCr: row("HR_HTTP_BARE_CR", 400, "A CR is not followed by LF."),
  folding: row("HR_HTTP_OBS_FOLD", 400, "A header is folded over several lines."),
  fieldName: row("HR_HTTP_BAD_FIELD_NAME", 400, "A header name is empty or has a byte that is not allowed."),
  spaceBeforeColon: row(
    "HR_HTTP_SPACE_BEFORE_COLON",
    400,
    "White space stands between a header name and its colon.",
  ),
  fieldValue: row("HR_HTTP_BAD_FIELD_VALUE", 400, "A header value has a control byte."),
  hostMissing: row("HR_HTTP_HOST_MISSING", 400, "An HTTP/1.1 request needs a Host header."),
  hostTwice: row("HR_HTTP_HOST_TWICE", 400, "There is more than one Host header."),
  host: row("HR_HTTP_BAD_HOST", 400, "The host is not HOST or HOST:PORT."),
  lengthTwice: row("HR_HTTP_LENGTH_TWICE", 400, "There is more than one Content-Length header."),
  length: row("HR_HTTP_BAD_LENGTH", 400, "Content-Length is not a decimal number."),
  lengthAndCoding: row(
    "HR_HTTP_LENGTH_AND_CODING",
    400,
    "Content-Length and Transfer-Encoding stand in one request, so its end is ambiguous.",
  ),
  coding: row("HR_HTTP_BAD_CODING", 400, "Transfer-Encoding is not exactly chunked."),
  codingUnknown: row("HR_HTTP_CODING_UNKNOWN", 501, "The only transfer coding understood here is chunked."),
  codingVersion: row("HR_HTTP_CODING_VERSION", 400, "Transfer-Encoding does not exist in HTTP/1.0."),
  contentTypeTwice: row("HR_HTTP_CONTENT_TYPE_TWICE", 400, "There is more than one Content-Type header."),
  expectation: row("HR_HTTP_EXPECTATION", 417, "The only expectation understood here is 100-continue."),
  websocketKey: row("HR_HTTP_WEBSOCKET_KEY", 400, "Sec-WebSocket-Key is not one base64 value of 16 bytes."),
  websocketVersion: row("HR_HTTP_WEBSOCKET_VERSION", 426, "The only WebSocket version spoken here is 13."),
  websocketHandshake: row(
    "HR_HTTP_WEBSOCKET_HANDSHAKE",
    400,
    "The WebSocket handshake offers malformed subprotocols or extensions.",
  ),
  websocketEarly: row(
    "HR_HTTP_WEBSOCKET_EARLY",
    400,
    "WebSocket data came before the handshake was answered.",
  ),
  requestLineSize: row("HR_HTTP_REQUEST_LINE_SIZE", 414, "The request line is longer than the limit."),
  headerSize: row("HR_HTTP_HEADER_SIZE", 431, "The headers are longer than the limit."),
  headerCount: row("HR_HTTP_HEADER_COUNT", 431, "There are more headers than the limit."),
  bodySize: row("HR_HTTP_BODY_SIZE", 413, "The body is longer than the limit."),
  chunk: row(
    "HR_HTTP_BAD_CHUNK",
    400,
    "A chunk size is not a hexadecimal number, or a chunk does not end where it says.",
  ),
  chunkExtension: row("HR_HTTP_BAD_CHUNK_EXTENSION", 400, "A chunk extension is malformed or too long."),
  trailer: row(
    "HR_HTTP_BAD_TRAILER",
    400,
    "A trailer field is malformed, or is one that may not be a trailer.",
  ),
  trailerSize: row("HR_HTTP_TRAILER_SIZE", 431, "The trailer fields are longer than the limit."),
  truncated: row("HR_HTTP_TRUNCATED", 400, "The client stopped sending before its request was complete."),
  headerTimeout: row("HR_HTTP_HEADER_TIMEOUT", 408, "The request's head did not come in time."),
  bodyTimeout: row("HR_HTTP_BODY_TIMEOUT", 408, "The request's body stopped coming."),
  response: row(
    "HR_BAD_RESPONSE",
    502,
    "The app's response has a status or header that HTTP does not allow.",
  ),
} as const satisfies Record<string, HttpError>;

/** The refusals that are this front's own, by code, as docs and metrics list them. */
export const HTTP1_ERRORS: Readonly<
  Record<string, { status: number; whose: "user" | "system"; text: string }>
> = Object.fromEntries(
  Object.values(HttpErrors)
    .filter((error) => error !== HttpErrors.response)
    .map(({ code, status, text }) => [code, { status, whose: "user" as const, text }]),
);
