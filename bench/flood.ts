/**
 * An open-loop generator: requests go out on a schedule, whatever comes back, each over a connection that is free or a new one; one JSON
 * line on stdout. Latency counts from the intended moment.
 *
 *   scripts/bun bench/flood.ts PORT PATH DEADLINE_MS SECONDS:RATE,SECONDS:RATE,...
 */
import type { Socket } from "bun";

const [, , portText, path, deadlineText, stagesText] = process.argv;
const port = Number(portText);
const deadlineMs = Number(deadlineText);
const stages = (stagesText ?? "").split(",").map((stage) => stage.split(":").map(Number) as [number, number]);
const REQUEST = `GET ${path} HTTP/1.1\r\nhost: bench\r\nx-request-timeout: ${deadlineMs}ms\r\n\r\n`;

interface State {
  intendedAt: number;
  second: number;
}

/** By second of the intended moment. */
interface Second {
  offered: number;
  good: number;
  late: number;
  refused: number;
  expired: number;
  failed: number;
}

const seconds: Second[] = [];
const idle: Socket<State>[] = [];
const acceptedMs: number[] = [];
let left = 0;
let began = 0;

function of(second: number): Second {
  seconds[second] ??= { offered: 0, good: 0, late: 0, refused: 0, expired: 0, failed: 0 };
  return seconds[second]!;
}

function settled(state: State, status: number): void {
  left--;
  const ms = performance.now() - state.intendedAt;
  const row = of(state.second);
  if (status === 200) {
    acceptedMs.push(ms);
    if (ms <= deadlineMs) row.good++;
    else row.late++;
  } else if (status === 429 || status === 503) row.refused++;
  else if (status === 504) row.expired++;
  else row.failed++;
}

const handlers = {
  data(socket: Socket<State>, chunk: Buffer) {
    const { data } = socket;
    // Answers are short and come in one piece; a second piece of one finds nobody waiting.
    if (data.second < 0) return;
    settled({ ...data }, Number(chunk.toString("latin1", 9, 12)));
    data.second = -1;
    idle.push(socket);
  },
  close(socket: Socket<State>) {
    if (socket.data.second >= 0) settled(socket.data, 0);
    const at = idle.indexOf(socket);
    if (at !== -1) idle.splice(at, 1);
  },
  error() {},
};

function send(intendedAt: number): void {
  const second = Math.floor((intendedAt - began) / 1_000);
  of(second).offered++;
  left++;
  const free = idle.pop();
  if (free !== undefined) {
    free.data.intendedAt = intendedAt;
    free.data.second = second;
    free.write(REQUEST);
    return;
  }
  const state = { intendedAt, second };
  Bun.connect<State>({ hostname: "127.0.0.1", port, data: state, socket: handlers }).then(
    (socket) => void socket.write(REQUEST),
    () => settled(state, 0),
  );
}

began = performance.now() + 100;
let next = began;
let stageEnd = began;
for (const [length, rate] of stages) {
  stageEnd += length * 1_000;
  while (next < stageEnd) {
    const now = performance.now();
    for (; next <= now && next < stageEnd; next += 1_000 / rate) send(next);
    await Bun.sleep(1);
  }
}
for (const end = performance.now() + deadlineMs + 2_000; left > 0 && performance.now() < end; )
  await Bun.sleep(20);
acceptedMs.sort((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({ seconds, unanswered: left, acceptedP99Ms: acceptedMs[Math.floor(acceptedMs.length * 0.99)] ?? 0 })}\n`,
);
process.exit(0);
