/**
 * Sends or takes large bodies, each over a connection of its own, and says how long they took in all, as one JSON line.
 *
 *   scripts/bun bench/load/transfer.ts PORT up|down BYTES TIMES
 */
import { connect } from "node:net";

export interface Plan {
  readonly port: number;
  readonly way: "up" | "down";
  readonly bytes: number;
  readonly times: number;
}

interface Seen {
  readonly seconds: number;
  /** Whether the other side got, or sent, all bytes. */
  readonly right: boolean;
}

const PIECE = Buffer.alloc(256 * 1024, "x");

function down({ port, bytes }: Plan): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const began = performance.now();
  const socket = connect(port, "127.0.0.1", () =>
    socket.write(`GET /down HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`),
  );
  let [head, left] = ["", bytes];
  socket.on("data", (chunk) => {
    if (left === bytes) {
      head += chunk.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      left -= head.length - end - 4;
    } else left -= chunk.length;
    if (left > 0) return;
    const ok = head.startsWith("HTTP/1.1 200") && new RegExp(`\ncontent-length: *${bytes}\r`, "i").test(head);
    resolve({ seconds: (performance.now() - began) / 1000, right: ok && left === 0 });
    socket.destroy();
  });
  socket.on("error", reject);
  socket.on("close", () => resolve({ seconds: (performance.now() - began) / 1000, right: false }));
  return promise;
}

function up({ port, bytes }: Plan): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const began = performance.now();
  let [left, answer] = [bytes, ""];
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(`POST /up HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${bytes}\r\n\r\n`);
    send();
  });
  const send = () => {
    while (left > 0) {
      const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left);
      left -= piece.length;
      if (!socket.write(piece)) return;
    }
  };
  socket.on("drain", send);
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
    const end = answer.indexOf("\r\n\r\n");
    if (end === -1 || answer.length < end + 4 + 12) return;
    const right = answer.startsWith("HTTP/1.1 200") && Number(answer.slice(end + 4)) === bytes;
    resolve({ seconds: (performance.now() - began) / 1000, right });
    socket.destroy();
  });
  socket.on("error", reject);
  socket.on("close", () => resolve({ seconds: (performance.now() - began) / 1000, right: false }));
  return promise;
}

/** Runs it in a process of its own. */
export async function transfer(
  plan: Plan,
  cores: string | null,
): Promise<Seen & { readonly cpuSeconds: number }> {
  const pin = cores === null ? [] : ["taskset", "-c", cores];
  const words = [plan.port, plan.way, plan.bytes, plan.times].map(String);
  const child = Bun.spawn([...pin, process.execPath, import.meta.path, ...words], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the transfer ended with ${child.exitCode}`);
  return {
    ...(JSON.parse(text) as Seen),
    cpuSeconds: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6,
  };
}

if (import.meta.main) {
  const [port = "", way = "", bytes = "", times = ""] = process.argv.slice(2);
  const plan: Plan = {
    port: Number(port),
    way: way === "up" ? "up" : "down",
    bytes: Number(bytes),
    times: Number(times),
  };
  const all: Seen[] = [];
  for (let n = 0; n < plan.times; n++) all.push(await (plan.way === "up" ? up(plan) : down(plan)));
  const seconds = all.reduce((sum, each) => sum + each.seconds, 0);
  process.stdout.write(`${JSON.stringify({ seconds, right: all.every(({ right }) => right) })}\n`);
  process.exit(0);
}
