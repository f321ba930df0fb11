/** Clients, pipelines, sockets and clocks that do anything in any order: a connection never throws and loses no exchange. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { Harness } from "./testing/harness.ts";
import { Random } from "./testing/mutate.ts";
import { bytes, pairs, type Recorded } from "./testing/recorder.ts";

setDefaultTimeout(120_000);

const SEED = 7_112_026;
const RUNS = 3000;
const STEPS = 40;
const NO_FIELDS = new Uint8Array(0);

const REQUESTS: readonly string[] = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "HEAD / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n",
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n${"x".repeat(3000)}`,
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloworld",
  "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  "\x81\x82\0\0\0\0hi",
  "\x88\x80\0\0\0\0",
  "garbage\r\n\r\n",
];

const FIELDS: readonly Uint8Array[] = [
  NO_FIELDS,
  pairs("x: y"),
  pairs("content-length: 5"),
  pairs("content-length: 0"),
  pairs("x: a\nb"),
];

/** One thing that a pipeline may do, allowed or not. */
function pipelineStep(request: Recorded, random: Random, aborted: Set<Recorded>): void {
  const { client } = request;
  if (request.head.websocket && random.below(2) === 0) client.acceptWebSocket("", NO_FIELDS);
  switch (random.below(12)) {
    case 0:
      client.takeBody(1 + random.below(4000));
      return;
    case 1:
      client.inform(random.pick([100, 103, 200]), random.pick(FIELDS));
      return;
    case 2:
    case 3:
      client.respond(
        random.pick([200, 204, 205, 304, 404, 99]),
        random.pick(FIELDS),
        random.below(2) === 0,
        random.below(3) === 0,
      );
      return;
    case 4:
    case 5:
      client.body(bytes("hello"), random.below(2) === 0);
      return;
    case 6:
      client.body(NO_FIELDS, random.below(2) === 0);
      return;
    case 7:
      client.trailers(random.pick(FIELDS));
      return;
    case 8:
      client.acceptWebSocket("", random.pick(FIELDS));
      return;
    case 9:
      client.message(true, bytes("yo"), false);
      return;
    case 10:
      client.closeWebSocket(1000, "");
      return;
    default:
      if (random.below(4) > 0) return;
      aborted.add(request);
      client.abort();
  }
}

/** One thing that the client, its socket, the clock or the listener may do. */
function outerStep(harness: Harness, random: Random): void {
  const { transport } = harness;
  const open = transport.end_ === "";
  switch (random.below(14)) {
    case 0:
      transport.room = random.pick([0, 50, 1000, Number.POSITIVE_INFINITY]);
      return;
    case 1:
      harness.take(Number.POSITIVE_INFINITY);
      return;
    case 2:
      harness.pass(random.pick([250, 1500, 12_000]));
      return;
    case 3:
      if (open && random.below(6) === 0) harness.fin();
      return;
    case 4:
      if (random.below(10) === 0) harness.act(() => transport.destroy(random.below(2) === 0));
      return;
    case 5:
      if (random.below(10) === 0) harness.act(() => harness.connection.shutdown());
      return;
    default: {
      const text = random.pick(REQUESTS) + (random.below(3) === 0 ? random.pick(REQUESTS) : "");
      if (open && !harness.connection.clientEnded)
        harness.sendSplit(bytes(text), random.below(text.length + 1));
    }
  }
}

test("any order of events", () => {
  let upgraded = 0;
  let finished = 0;
  let gone = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = new Random(SEED + run);
    const aborted = new Set<Recorded>();
    const harness = new Harness({ discardBytes: 2000 }, (request) => {
      if (random.below(3) === 0) pipelineStep(request, random, aborted);
    });
    for (let step = 0; step < STEPS; step++) {
      if (random.below(2) === 0) outerStep(harness, random);
      else if (harness.requests.length > 0)
        harness.act(() => pipelineStep(random.pick(harness.requests), random, aborted));
    }
    harness.act(() => harness.transport.destroy(true));
    for (const request of harness.requests) {
      const ends = [request.goneFor !== "", request.finishedBytes >= 0, request.closedCode > 0].filter(
        (end) => end,
      ).length;
      expect([SEED + run, ends === 1 || (ends === 0 && aborted.has(request))]).toEqual([SEED + run, true]);
      upgraded += request.closedCode > 0 ? 1 : 0;
      finished += request.finishedBytes >= 0 ? 1 : 0;
      gone += request.goneFor !== "" ? 1 : 0;
    }
  }
  // The runs are worth something only when they reach every end.
  for (const reached of [upgraded, finished, gone]) expect(reached).toBeGreaterThan(100);
});
