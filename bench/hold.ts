/**
 * Opens many connections, sends one request over each and waits for its answer; one JSON line on stdout when all are through. Started
 * several times at once by in-flight.ts, because one process may open only so many files.
 *
 *   scripts/bun bench/hold.ts PORT PATH CONNECTIONS RAMP_MS ADDRESSES
 *
 * The first lines are "open" once every connection stands, then it waits for a line on stdin before it sends. Latency is from the moment
 * at which a request was meant to be sent.
 */
import type { Socket } from "bun";

const [port = 0, path = "/", connections = 0, rampMs = 0, addresses = 1] = process.argv
  .slice(2)
  .map((word) => (/^\d+$/.test(word) ? Number(word) : word)) as [number, string, number, number, number];

const REQUEST = Buffer.from(`GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`, "latin1");

interface State {
  intendedAt: number;
  done: boolean;
}

const latencies: number[] = [];
const errors = new Map<string, number>();
const all = Promise.withResolvers<void>();
let left = connections;

function settle(state: State, problem: string): void {
  if (state.done) return;
  state.done = true;
  if (problem === "") latencies.push(performance.now() - state.intendedAt);
  else errors.set(problem, (errors.get(problem) ?? 0) + 1);
  if (--left === 0) all.resolve();
}

const handlers = {
  binaryType: "uint8array" as const,
  data(socket: Socket<State>, chunk: Uint8Array) {
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.length, 64)).toString("latin1");
    settle(socket.data, text.startsWith("HTTP/1.1 200") ? "" : text.slice(0, 12));
  },
  close: (socket: Socket<State>) => settle(socket.data, "closed"),
  error: (socket: Socket<State>) => settle(socket.data, "error"),
};

const open: Socket<State>[] = [];
const connectBegan = performance.now();
// So many at a time: a listen queue has room for some thousands.
const BATCH = 200;
for (let made = 0; made < connections; made += BATCH) {
  const some = Array.from({ length: Math.min(BATCH, connections - made) }, (_, i) =>
    Bun.connect<State>({
      hostname: `127.0.0.${1 + ((made + i) % addresses)}`,
      port,
      data: { intendedAt: 0, done: false },
      socket: handlers,
    }).then(
      (socket) => void open.push(socket),
      () => settle({ intendedAt: 0, done: false }, "refused"),
    ),
  );
  await Promise.all(some);
}
const connectMs = performance.now() - connectBegan;
process.stdout.write(`open ${open.length}\n`);
await new Promise<void>((resolve) => process.stdin.once("data", () => resolve()));

const began = performance.now();
let sent = 0;
while (sent < open.length) {
  const due =
    rampMs === 0 ? open.length : Math.min(open.length, ((performance.now() - began) / rampMs) * open.length);
  for (; sent < due; sent++) {
    const socket = open[sent]!;
    socket.data.intendedAt = began + (sent / open.length) * rampMs;
    socket.write(REQUEST);
  }
  if (sent < open.length) await Bun.sleep(1);
}
const sentMs = performance.now() - began;
await all.promise;
latencies.sort((a, b) => a - b);
const at = (share: number) =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
process.stdout.write(
  `${JSON.stringify({
    answered: latencies.length,
    errors: Object.fromEntries(errors),
    connectMs,
    sentMs,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    latencies: latencies.map((ms) => Math.round(ms)),
    rssBytes: process.memoryUsage.rss(),
  })}\n`,
);
process.exit(0);
