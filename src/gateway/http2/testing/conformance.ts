import {
  ACK,
  block,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  PADDED,
  PRIORITY_FLAG,
  settings,
  FrameType as T,
  u32,
} from "./raw-client.ts";

/**
 * What RFC 9113 and RFC 7541 demand of a server, as a table: bytes to send after the settings exchange, and how the
 * connection or stream 1 has to end. The cases are those that the h2spec suite checks, written anew.
 */
export interface ConformanceCase {
  readonly id: string;
  readonly send: readonly Uint8Array[];
  /** Accepted outcomes of stream 1, see RawHttp2Client.outcome. */
  readonly allowed: readonly string[];
}

const H = END_HEADERS;
const ES = END_STREAM;
const ok = block(...get("/"));
const post = block(
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/echo"],
  [":authority", "example.test"],
);
const headers = (stream: number, payload: Uint8Array = ok, flags = H | ES) =>
  frame(T.HEADERS, flags, stream, payload);
const open = headers(1, post, H);

const goaway = (...codes: number[]) => [...codes.map((code) => `goaway ${code}`), "closed"];
const PROTOCOL = goaway(1);
const FLOW = goaway(3);
const SIZE = goaway(6);
/** A malformed request: a stream error, a connection error or a 400 are all in order. */
const MALFORMED = ["rst 1", "end 400", ...PROTOCOL];

const list: ConformanceCase[] = [];
const add = (id: string, send: Uint8Array[], allowed: readonly string[]) => list.push({ id, send, allowed });

add("plain request", [headers(1)], ["end 200"]);
add("4.1 unknown frame type", [frame(0x16, 0, 0, Buffer.alloc(8)), headers(1)], ["end 200"]);
add("4.1 undefined flags", [frame(T.PING, 0x16, 0, Buffer.alloc(8)), headers(1)], ["end 200"]);
add("4.1 reserved bit", [frame(T.PING, 0, 0x80000000, Buffer.alloc(8)), headers(1)], ["end 200"]);
add("4.2 DATA over the frame limit", [open, frame(T.DATA, ES, 1, Buffer.alloc(16_385))], ["rst 6", ...SIZE]);
add("4.2 HEADERS over the frame limit", [headers(1, block(...get("/"), ["x", "y".repeat(20_000)]))], SIZE);
add(
  "4.3 broken header block",
  [headers(1, Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
  goaway(9),
);
add(
  "4.3 PRIORITY inside a header block",
  [headers(1, ok, ES), frame(T.PRIORITY, 0, 1, Buffer.concat([u32(0), Buffer.of(255)]))],
  PROTOCOL,
);
add("4.3 HEADERS of another stream inside a block", [headers(1, ok, ES), headers(3)], PROTOCOL);
add("5.1 idle: DATA", [frame(T.DATA, ES, 1, Buffer.from("x"))], PROTOCOL);
add("5.1 idle: RST_STREAM", [frame(T.RST_STREAM, 0, 1, u32(8))], PROTOCOL);
add("5.1 idle: WINDOW_UPDATE", [frame(T.WINDOW_UPDATE, 0, 1, u32(100))], PROTOCOL);
add("5.1 idle: CONTINUATION", [frame(T.CONTINUATION, H, 1, ok)], PROTOCOL);
add(
  "5.1 half closed: DATA",
  [headers(1), frame(T.DATA, ES, 1, Buffer.from("x"))],
  ["rst 5", ...goaway(5, 1)],
);
add("5.1 half closed: HEADERS", [headers(1), headers(1)], ["rst 5", ...goaway(5, 1)]);
add("5.1 half closed: CONTINUATION", [headers(1), frame(T.CONTINUATION, H, 1, ok)], goaway(5, 1));
add(
  "5.1 closed: DATA",
  [open, frame(T.RST_STREAM, 0, 1, u32(8)), frame(T.DATA, ES, 1, Buffer.from("x")), headers(3)],
  ["rst 5", "alive", ...goaway(5)],
);
add("5.1 closed: HEADERS", [open, frame(T.RST_STREAM, 0, 1, u32(8)), headers(1)], ["rst 5", ...goaway(5, 1)]);
add("5.1.1 even stream number", [headers(2)], PROTOCOL);
add("5.1.1 falling stream number", [headers(5), headers(3), headers(1)], PROTOCOL);
add(
  "5.3 stream depends on itself",
  [headers(1, Buffer.concat([u32(1), Buffer.of(15), ok]), H | ES | PRIORITY_FLAG)],
  ["rst 1", "end 200", ...PROTOCOL],
);
add(
  "5.5 unknown frame inside a header block",
  [headers(1, ok, ES), frame(0x16, 0, 0, Buffer.alloc(4))],
  PROTOCOL,
);
add("6.1 DATA on stream 0", [frame(T.DATA, ES, 0, Buffer.from("x"))], PROTOCOL);
add(
  "6.1 DATA with too much padding",
  [open, frame(T.DATA, ES | PADDED, 1, Buffer.from([6, 1, 2, 3, 4]))],
  PROTOCOL,
);
add("6.2 HEADERS on stream 0", [headers(0)], PROTOCOL);
add(
  "6.2 HEADERS with too much padding",
  [headers(1, Buffer.concat([Buffer.of(255), ok]), H | ES | PADDED)],
  PROTOCOL,
);
add(
  "6.2 padded HEADERS and DATA",
  [
    headers(1, Buffer.concat([Buffer.of(2), post, Buffer.alloc(2)]), H | PADDED),
    frame(T.DATA, ES | PADDED, 1, Buffer.from([2, 0x61, 0, 0])),
  ],
  ["end 200"],
);
add("6.3 PRIORITY on stream 0", [frame(T.PRIORITY, 0, 0, Buffer.alloc(5))], PROTOCOL);
add("6.3 PRIORITY of four bytes", [open, frame(T.PRIORITY, 0, 1, Buffer.alloc(4))], ["rst 6", ...SIZE]);
add("6.4 RST_STREAM on stream 0", [frame(T.RST_STREAM, 0, 0, u32(8))], PROTOCOL);
add("6.4 RST_STREAM of three bytes", [open, frame(T.RST_STREAM, 0, 1, Buffer.alloc(3))], SIZE);
add("6.5 SETTINGS ack with payload", [frame(T.SETTINGS, ACK, 0, Buffer.alloc(6))], SIZE);
add("6.5 SETTINGS on a stream", [open, frame(T.SETTINGS, 0, 1)], PROTOCOL);
add("6.5 SETTINGS of five bytes", [frame(T.SETTINGS, 0, 0, Buffer.alloc(5))], SIZE);
add("6.5.2 ENABLE_PUSH of 2", [frame(T.SETTINGS, 0, 0, settings([2, 2]))], PROTOCOL);
add("6.5.2 INITIAL_WINDOW_SIZE over the limit", [frame(T.SETTINGS, 0, 0, settings([4, 0x80000000]))], FLOW);
add("6.5.2 MAX_FRAME_SIZE too small", [frame(T.SETTINGS, 0, 0, settings([5, 16_383]))], PROTOCOL);
add("6.5.2 MAX_FRAME_SIZE too large", [frame(T.SETTINGS, 0, 0, settings([5, 16_777_216]))], PROTOCOL);
add("6.5.2 unknown setting", [frame(T.SETTINGS, 0, 0, settings([0xff, 1])), headers(1)], ["end 200"]);
add("6.7 PING on a stream", [open, frame(T.PING, 0, 1, Buffer.alloc(8))], PROTOCOL);
add("6.7 PING of six bytes", [frame(T.PING, 0, 0, Buffer.alloc(6))], SIZE);
add("6.8 GOAWAY on a stream", [open, frame(T.GOAWAY, 0, 1, Buffer.alloc(8))], PROTOCOL);
add("6.9 WINDOW_UPDATE of 0", [frame(T.WINDOW_UPDATE, 0, 0, u32(0))], PROTOCOL);
add(
  "6.9 WINDOW_UPDATE of 0 on a stream",
  [open, frame(T.WINDOW_UPDATE, 0, 1, u32(0))],
  ["rst 1", ...PROTOCOL],
);
add("6.9 WINDOW_UPDATE of three bytes", [frame(T.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))], SIZE);
add(
  "6.9.1 connection window over the limit",
  [frame(T.WINDOW_UPDATE, 0, 0, u32(0x7fffffff)), frame(T.WINDOW_UPDATE, 0, 0, u32(0x7fffffff))],
  FLOW,
);
add(
  "6.9.1 stream window over the limit",
  [open, frame(T.WINDOW_UPDATE, 0, 1, u32(0x7fffffff)), frame(T.WINDOW_UPDATE, 0, 1, u32(0x7fffffff))],
  ["rst 3", ...FLOW],
);
add(
  "6.10 CONTINUATION in several",
  [
    headers(1, ok.subarray(0, 4), ES),
    frame(T.CONTINUATION, 0, 1, ok.subarray(4, 9)),
    frame(T.CONTINUATION, H, 1, ok.subarray(9)),
  ],
  ["end 200"],
);
add(
  "6.10 CONTINUATION on stream 0",
  [headers(1, ok.subarray(0, 4), ES), frame(T.CONTINUATION, H, 0, ok.subarray(4))],
  PROTOCOL,
);
add("6.10 CONTINUATION after the end", [open, frame(T.CONTINUATION, H, 1, ok)], PROTOCOL);
add(
  "6.10 DATA inside a header block",
  [headers(1, ok.subarray(0, 4), ES), frame(T.DATA, ES, 1, Buffer.from("x"))],
  PROTOCOL,
);
add(
  "6.6 PUSH_PROMISE from a client",
  [open, frame(T.PUSH_PROMISE, H, 1, Buffer.concat([u32(2), ok]))],
  PROTOCOL,
);

const request = (...pairs: Array<readonly [string, string]>) => [headers(1, block(...pairs))];
const basic = get("/");
add("8.2 name in upper case", request(...basic, ["X-Test", "1"]), MALFORMED);
add("8.2 name with a space", request(...basic, ["x test", "1"]), MALFORMED);
add("8.2 empty name", request(...basic, ["", "1"]), MALFORMED);
add("8.2 value with a line feed", request(...basic, ["x-test", "a\r\nb: c"]), MALFORMED);
add("8.2 value with NUL", request(...basic, ["x-test", "a\0b"]), MALFORMED);
add("8.2 value with a leading space", request(...basic, ["x-test", " a"]), [...MALFORMED, "end 200"]);
add("8.2.2 connection", request(...basic, ["connection", "keep-alive"]), MALFORMED);
add("8.2.2 transfer-encoding", request(...basic, ["transfer-encoding", "chunked"]), MALFORMED);
add("8.2.2 keep-alive", request(...basic, ["keep-alive", "1"]), MALFORMED);
add("8.2.2 upgrade", request(...basic, ["upgrade", "h2c"]), MALFORMED);
add("8.2.2 te other than trailers", request(...basic, ["te", "trailers, deflate"]), MALFORMED);
add("8.2.2 te: trailers", request(...basic, ["te", "trailers"]), ["end 200"]);
add("8.3 unknown pseudo header", request(...basic, [":test", "1"]), MALFORMED);
add("8.3 response pseudo header", request(...basic, [":status", "200"]), MALFORMED);
add(
  "8.3 pseudo header after a header",
  request(...basic.slice(0, 3), ["x-test", "1"], [":authority", "a"]),
  MALFORMED,
);
add(
  "8.3.1 empty :path",
  request([":method", "GET"], [":scheme", "http"], [":path", ""], [":authority", "a"]),
  MALFORMED,
);
add(
  "8.3.1 relative :path",
  request([":method", "GET"], [":scheme", "http"], [":path", "x"], [":authority", "a"]),
  MALFORMED,
);
add(
  "8.3.1 :path with a space",
  request([":method", "GET"], [":scheme", "http"], [":path", "/a b"], [":authority", "a"]),
  MALFORMED,
);
add("8.3.1 no :method", request(...basic.slice(1)), MALFORMED);
add("8.3.1 no :scheme", request(basic[0]!, ...basic.slice(2)), MALFORMED);
add("8.3.1 no :path", request(basic[0]!, basic[1]!, basic[3]!), MALFORMED);
for (const at of [0, 1, 2, 3]) add(`8.3.1 two ${basic[at]![0]}`, request(...basic, basic[at]!), MALFORMED);
add("8.3.1 :authority and host differ", request(...basic, ["host", "other.test"]), MALFORMED);
add("8.3.1 no authority at all", request(...basic.slice(0, 3)), MALFORMED);
add("8.3.1 host in place of :authority", request(...basic.slice(0, 3), ["host", "a"]), ["end 200"]);
add("8.3.1 method that is no token", request([":method", "G T"], ...basic.slice(1)), MALFORMED);
add(
  "8.3.1 userinfo in :authority",
  request(...basic.slice(0, 3), [":authority", "me@example.test"]),
  MALFORMED,
);
const body = (length: string, ...data: Uint8Array[]) => [
  headers(1, Buffer.concat([post, block(["content-length", length])]), H),
  ...data.map((bytes, at) => frame(T.DATA, at === data.length - 1 ? ES : 0, 1, bytes)),
];
add("8.1.1 content-length kept", body("4", Buffer.from("ab"), Buffer.from("cd")), ["end 200"]);
add("8.1.1 content-length too large", body("5", Buffer.from("abcd")), MALFORMED);
add("8.1.1 content-length too small", body("1", Buffer.from("abcd")), MALFORMED);
add(
  "8.1.1 content-length too small, several frames",
  body("3", Buffer.from("ab"), Buffer.from("cd")),
  MALFORMED,
);
add("8.1.1 content-length not a number", body("+4", Buffer.from("abcd")), MALFORMED);
add(
  "8.1.1 two content-lengths",
  [
    headers(1, Buffer.concat([post, block(["content-length", "4"], ["content-length", "4"])]), H),
    frame(T.DATA, ES, 1, Buffer.from("abcd")),
  ],
  MALFORMED,
);
add("8.1.1 content-length without a body", request(...basic, ["content-length", "3"]), MALFORMED);
add(
  "8.1 trailers",
  [open, frame(T.DATA, 0, 1, Buffer.from("x")), headers(1, block(["x-trailer", "1"]))],
  ["end 200"],
);
add(
  "8.1 trailers without END_STREAM",
  [open, frame(T.DATA, 0, 1, Buffer.from("x")), headers(1, block(["x-trailer", "1"]), H)],
  MALFORMED,
);
add(
  "8.1 trailers with a pseudo header",
  [open, frame(T.DATA, 0, 1, Buffer.from("x")), headers(1, block([":method", "GET"]))],
  MALFORMED,
);
add("8.5 CONNECT with :path", request([":method", "CONNECT"], ...basic.slice(1)), [...MALFORMED, "end 405"]);
add("HPACK index 0", [headers(1, Buffer.concat([ok, Buffer.of(0x80)]))], goaway(9));
add("HPACK index out of range", [headers(1, Buffer.concat([ok, Buffer.of(0xff, 0x80, 0x01)]))], goaway(9));
add(
  "HPACK table size over the limit",
  [headers(1, Buffer.concat([Buffer.of(0x3f, 0xe1, 0xff, 0x03), ok]))],
  goaway(9),
);
add("HPACK table size update at the end", [headers(1, Buffer.concat([ok, Buffer.of(0x20)]))], goaway(9));
add(
  "HPACK huffman padding over 7 bits",
  [
    headers(
      1,
      Buffer.concat([
        ok,
        Buffer.from([0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff]),
      ]),
    ),
  ],
  goaway(9),
);
add(
  "HPACK huffman EOS",
  [
    headers(
      1,
      Buffer.concat([
        ok,
        Buffer.from([
          0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x87, 0x49, 0x51, 0xff, 0xff, 0xff, 0xfa, 0x7f,
        ]),
      ]),
    ),
  ],
  goaway(9),
);
add(
  "HPACK string longer than the block",
  [headers(1, Buffer.concat([ok, Buffer.from([0x00, 0x0a, 0x61])]))],
  goaway(9),
);

/** Marks an outcome with the status where there is one. */
export const CASES: readonly ConformanceCase[] = list;
