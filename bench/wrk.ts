/** Runs wrk and reads its report. */
import { spawnSync } from "node:child_process";

export interface Measured {
  readonly requestsPerSecond: number;
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Connection, read, write and timeout errors, and answers that are not 2xx or 3xx. */
  readonly errors: number;
}

/** Null when wrk is there; else the sentence that says how to get it. */
export function missing(): string | null {
  if (spawnSync("wrk", ["--version"]).error !== undefined)
    return "wrk is missing: install it with your system's packages (Debian: apt-get install wrk).";
  return null;
}

export async function wrk(url: string, connections: number, seconds: number): Promise<Measured> {
  const args = [
    "-t",
    connections >= 256 ? "2" : "1",
    "-c",
    `${connections}`,
    "-d",
    `${seconds}s`,
    "--latency",
    url,
  ];
  const run = Bun.spawn(["wrk", ...args], { stdout: "pipe", stderr: "pipe" });
  const text = await new Response(run.stdout).text();
  if ((await run.exited) !== 0)
    throw new Error(`wrk ${args.join(" ")}: ${await new Response(run.stderr).text()}`);
  return readReport(text);
}

export function readReport(text: string): Measured {
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
  const socket =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const bad = number(/Non-2xx or 3xx responses: (\d+)/);
  return {
    requestsPerSecond: number(/Requests\/sec:\s+([\d.]+)/),
    requests: number(/(\d+) requests in/),
    p50Ms: milliseconds(/50%\s+([\d.]+)(us|ms|s|m)/.exec(text)),
    p99Ms: milliseconds(/99%\s+([\d.]+)(us|ms|s|m)/.exec(text)),
    errors: socket.reduce((sum, count) => sum + Number(count), bad),
  };
}

function milliseconds(match: RegExpExecArray | null): number {
  const unit = { us: 0.001, ms: 1, s: 1000, m: 60_000 }[match?.[2] ?? "ms"] ?? 1;
  return Number(match?.[1] ?? 0) * unit;
}
