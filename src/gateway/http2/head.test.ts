import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Seen as Bits } from "../client.ts";
import { pairsOf } from "../websocket/handshake.ts";
import { block, END_HEADERS, END_STREAM, FrameType, frame, get } from "./testing/raw-client.ts";
import { type Pair, post, Rig, request } from "./testing/rig.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

const rig = new Rig();
afterEach(() => rig.close());

describe("the head", () => {
  test("order, duplicates and bytes are kept; :authority comes first as host", async () => {
    const client = await rig.start();
    client.send(
      request(1, [
        ...get("/a%2Fb/../c?x=%zz&{}"),
        ["cookie", "a=1"],
        ["x-b", "caf\u00e9 \u00ff"],
        ["cookie", "b=2"],
        ["te", "trailers"],
        ["x-forwarded-for", "1.2.3.4"],
        ["x-request-id", "r1"],
      ]),
    );
    expect(await client.outcome(1)).toBe("end");
    const { head } = rig.server.seen[0]!;
    expect(head).toMatchObject({
      method: "GET",
      version: 20,
      bodyLength: 0,
      expectContinue: false,
      websocket: false,
    });
    expect(Buffer.from(head.target).toString()).toBe("/a%2Fb/../c?x=%zz&{}");
    expect(pairsOf(head.fields)).toEqual([
      ["host", "example.test"],
      ["cookie", "a=1"],
      ["x-b", "caf\u00e9 \u00ff"],
      ["cookie", "b=2"],
      ["te", "trailers"],
      ["x-forwarded-for", "1.2.3.4"],
      ["x-request-id", "r1"],
    ]);
    expect(head.seen).toBe(Bits.HOST | Bits.TE_TRAILERS | Bits.X_FORWARDED | Bits.REQUEST_ID);
  });

  for (const [name, list, status, code] of [
    ["path over the limit", get(`/${"x".repeat(8192)}`), "414", "HR_HTTP_REQUEST_LINE_SIZE"],
    [
      "headers over the limit",
      [...get("/"), ["x-big", "y".repeat(16_400)] as Pair],
      "431",
      "HR_HTTP_HEADER_SIZE",
    ],
    [
      "too many headers",
      [...get("/"), ...Array.from({ length: 51 }, (_, n) => [`x${n}`, ""] as Pair)],
      "431",
      "HR_HTTP_HEADER_COUNT",
    ],
    ["an expectation", [...get("/"), ["expect", "magic"] as Pair], "417", "HR_HTTP_EXPECTATION"],
    [
      "two content-types",
      [...get("/"), ["content-type", "a/b"] as Pair, ["content-type", "c/d"] as Pair],
      "400",
      "HR_HTTP_CONTENT_TYPE_TWICE",
    ],
    ["CONNECT", [[":method", "CONNECT"] as Pair, [":authority", "a:1"] as Pair], "501", "HR_HTTP_CONNECT"],
    [
      "a path that is none",
      [...get("/").slice(0, 2), [":path", "*"] as Pair, [":authority", "a"] as Pair],
      "400",
      "HR_HTTP_BAD_TARGET",
    ],
    [
      "a host that is a list",
      [...get("/").slice(0, 3), [":authority", "a,b"] as Pair],
      "400",
      "HR_HTTP_BAD_HOST",
    ],
  ] as const) {
    test(`${name} is refused with ${status}`, async () => {
      const client = await rig.start();
      client.send(...split(1, block(...list)));
      expect(["end", "rst 1"]).toContain(await client.outcome(1));
      if (client.result(1) === "end") {
        expect(rig.server.refusals).toMatchObject([{ status: Number(status), code }]);
        expect(client.body(1).toString()).toStartWith(code);
      }
      expect(rig.server.seen).toHaveLength(0);
      // The connection lives on.
      client.send(request(3, get("/")));
      expect(await client.outcome(3)).toBe("end");
    });
  }

  test("a value with a control byte never reaches the app: the runtime drops the field", async () => {
    const client = await rig.start();
    client.send(request(1, [...get("/"), ["x-a", "a\u0001b"], ["x-b", "a\u007fb"], ["x-c", "fine"]]));
    expect(await client.outcome(1)).toBe("end");
    expect(pairsOf(rig.server.seen[0]!.head.fields)).toEqual([
      ["host", "example.test"],
      ["x-c", "fine"],
    ]);
  });

  test("a body that says it is too long is refused before it comes", async () => {
    const client = await rig.start({ limits: { bodyBytes: 10 } });
    client.send(request(1, post("/", ["content-length", "11"]), true));
    await client.until(() => client.result(1) !== "");
    expect(client.body(1).toString()).toStartWith("HR_HTTP_BODY_SIZE");
    expect(rig.server.refusals[0]).toMatchObject({ status: 413, method: "POST", target: "/" });
  });
});

/** A header block in frames of 16 KiB. */
function split(stream: number, bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 16_384) {
    const flags = (at + 16_384 >= bytes.length ? END_HEADERS : 0) | (at === 0 ? END_STREAM : 0);
    frames.push(
      frame(
        at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION,
        flags,
        stream,
        bytes.subarray(at, at + 16_384),
      ),
    );
  }
  return frames;
}
