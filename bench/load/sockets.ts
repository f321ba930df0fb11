/**
 * Many WebSockets that each send a message, wait for it to come back, and send the next; one JSON line on stdout.
 *
 *   scripts/bun bench/load/sockets.ts PORT SOCKETS SECONDS
 */
import { quantile } from "../frame/statistics.ts";

export interface Plan {
  readonly port: number;
  readonly sockets: number;
  readonly seconds: number;
}

interface Seen {
  readonly messages: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Sockets that failed, and messages that came back as others. */
  readonly errors: number;
}

const PATIENCE_MS = 10_000;

async function talk({ port, sockets, seconds }: Plan): Promise<Seen> {
  const open: WebSocket[] = [];
  let errors = 0;
  await Promise.all(
    Array.from({ length: sockets }, () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
      open.push(socket);
      return new Promise<void>((resolve) => {
        const fail = () => {
          errors++;
          resolve();
        };
        const late = setTimeout(fail, PATIENCE_MS);
        socket.onopen = () => {
          clearTimeout(late);
          resolve();
        };
        socket.onerror = fail;
      });
    }),
  );
  const latencies: number[] = [];
  const began = performance.now();
  const end = began + seconds * 1_000;
  for (const [at, socket] of open.entries()) {
    const message = `message of socket ${String(at).padStart(5, "0")}`;
    let sentAt = performance.now();
    socket.onmessage = ({ data }) => {
      const now = performance.now();
      if (now > end) return;
      if (data !== message) errors++;
      latencies.push(now - sentAt);
      sentAt = now;
      socket.send(message);
    };
    if (socket.readyState === WebSocket.OPEN) socket.send(message);
  }
  await Bun.sleep(seconds * 1_000);
  for (const socket of open) socket.close();
  return {
    messages: latencies.length,
    seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    errors,
  };
}

/** Runs it in a process of its own. */
export async function sockets(
  plan: Plan,
  cores: string | null,
): Promise<Seen & { readonly cpuSeconds: number }> {
  const pin = cores === null ? [] : ["taskset", "-c", cores];
  const words = [plan.port, plan.sockets, plan.seconds].map(String);
  const child = Bun.spawn([...pin, process.execPath, import.meta.path, ...words], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the sockets ended with ${child.exitCode}`);
  return {
    ...(JSON.parse(text) as Seen),
    cpuSeconds: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6,
  };
}

if (import.meta.main) {
  const [port = "", count = "", seconds = ""] = process.argv.slice(2);
  const seen = await talk({ port: Number(port), sockets: Number(count), seconds: Number(seconds) });
  process.stdout.write(`${JSON.stringify(seen)}\n`);
  process.exit(0);
}
