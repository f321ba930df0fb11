import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import {
  block,
  END_HEADERS,
  END_STREAM,
  FrameType,
  frame,
  get,
  RawHttp2Client,
  settings,
  u32,
} from "./testing/raw-client.ts";
import { data, post, Rig, request, reset } from "./testing/rig.ts";
import { defaultApp, type Seen } from "./testing/server.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(120_000);

const rig = new Rig();
afterEach(() => rig.close());

/** A small generator of random numbers, so that a failure can be repeated. */
let state = 11;
function pick(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 0x1_0000_0000) * below);
}

/** What an ordinary client might send, in no sensible order. */
function sequence(): Buffer {
  const frames: Buffer[] = [];
  let stream = 1;
  for (let n = pick(10) + 1; n > 0; n--) {
    const kinds = [
      () => request(stream, get("/")),
      () => request(stream, post("/echo"), true),
      () => data(stream, Buffer.alloc(pick(2000)), pick(2) === 0),
      () => reset(stream, pick(14)),
      () => frame(FrameType.WINDOW_UPDATE, 0, pick(2) * stream, u32(1 + pick(100_000))),
      () => frame(FrameType.PING, pick(2), 0, Buffer.alloc(8)),
      () => frame(FrameType.SETTINGS, 0, 0, settings([pick(10), pick(100_000)])),
      () => frame(FrameType.CONTINUATION, END_HEADERS, stream, block(["a", "b"])),
      () => frame(FrameType.HEADERS, END_STREAM, stream, block(...get("/")).subarray(0, pick(40))),
      () => frame(FrameType.GOAWAY, 0, 0, u32(stream, pick(14))),
    ];
    frames.push(kinds[pick(kinds.length)]!());
    if (pick(2) === 0) stream += 2;
  }
  const bytes = Buffer.concat(frames);
  for (let k = pick(3); k > 0; k--) bytes[pick(bytes.length)] = pick(256);
  return bytes;
}

test("damaged frames end streams and connections, each exactly once, and nothing else", async () => {
  const watched: Seen[] = [];
  const first = await rig.start({
    limits: { http2Streams: 50 },
    app: (seen) => {
      watched.push(seen);
      defaultApp(seen);
    },
  });
  const { server } = rig;
  const round = async (): Promise<void> => {
    const client = await RawHttp2Client.open(server.port);
    const bytes = sequence();
    const cut = pick(bytes.length);
    client.send(bytes.subarray(0, cut));
    client.send(bytes.subarray(cut));
    if (pick(4) === 0) client.cut();
    else client.finish();
    await client.until(() => client.over);
  };
  const rounds = 40;
  const width = 50;
  for (let n = 0; n < rounds; n++) await Promise.all(Array.from({ length: width }, round));
  await server.until(() => server.left === rounds * width);
  expect(watched.length).toBeGreaterThan(200);
  for (const seen of watched) expect(seen.events).toHaveLength(1);
  // The first connection has seen nothing of it.
  first.send(request(1, get("/")));
  expect(await first.outcome(1)).toBe("end");
});
