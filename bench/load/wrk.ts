/** Runs wrk, checks all that it got, and reads its report. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Answer } from "./probe.ts";

export interface Measured {
  readonly requestsPerSecond: number;
  readonly requests: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Connection, read, write and timeout errors, and answers that are not 2xx or 3xx. */
  readonly errors: number;
  /** CPU seconds of wrk itself. */
  readonly cpuSeconds: number;
}

export interface Wrk {
  readonly url: string;
  readonly connections: number;
  /** Whole seconds. */
  readonly seconds: number;
  readonly headers?: readonly string[];
  /** JSON that is posted; without it, the URL is got. */
  readonly body?: string;
  /** Cores, as taskset takes them. */
  readonly cores?: string | null;
}

/** Null when wrk is there; else the sentence that says how to get it. */
export function missing(): string | null {
  if (spawnSync("wrk", ["-v"]).error !== undefined)
    return "wrk is missing: install it with your system's packages (Debian: apt-get install wrk)";
  return null;
}

/** One thread up to 255 connections: on a small machine a second one takes from the server. */
export function wrkCommand({ url, connections, seconds, headers = [], cores = null }: Wrk): string[] {
  const pin = cores === null ? [] : ["taskset", "-c", cores];
  const size = ["-t", connections >= 256 ? "2" : "1", "-c", `${connections}`, "-d", `${Math.ceil(seconds)}s`];
  const more = headers.flatMap((header) => ["-H", header]);
  return [...pin, "wrk", ...size, "--timeout", "20s", ...more, "-s", join(import.meta.dir, "done.lua"), url];
}

export async function wrk(load: Wrk): Promise<Measured> {
  const command = wrkCommand(load);
  const env = { ...process.env, WRK_BODY: load.body ?? "" };
  const run = Bun.spawn(command, { env, stdout: "pipe", stderr: "pipe" });
  const text = await new Response(run.stdout).text();
  if ((await run.exited) !== 0)
    throw new Error(`${command.join(" ")}: ${await new Response(run.stderr).text()}`);
  const cpu = run.resourceUsage()?.cpuTime;
  return readReport(text, cpu === undefined ? 0 : Number(cpu.total) / 1e6);
}

export function readReport(text: string, cpuSeconds: number): Measured {
  const json = /^REPORT (.*)$/m.exec(text)?.[1];
  if (json === undefined) throw new Error(`not a report of wrk: ${text}`);
  const raw = JSON.parse(json) as Record<string, number>;
  const { requests = 0, micros = 1, bytes = 0, p50 = 0, p99 = 0, p999 = 0 } = raw;
  return {
    requestsPerSecond: requests / (micros / 1e6),
    requests,
    bytes,
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
    p999Ms: p999 / 1000,
    errors: ["connect", "read", "write", "timeout", "status"].reduce((sum, key) => sum + (raw[key] ?? 0), 0),
    cpuSeconds,
  };
}

/** Heads differ by a few bytes (dates, ages): so much of the size of an answer may. */
const LOOSE = 0.01;

/**
 * Why the figures do not count; empty when every answer was right. wrk looks at every status. Of lengths it knows the sum: it must be
 * that of as many right answers, but for those that were under way at the end, one a connection.
 */
export function faults(measured: Measured, right: Answer, connections: number): string[] {
  const found: string[] = [];
  if (measured.requests === 0) found.push("no request was answered");
  if (measured.errors > 0) found.push(`${measured.errors} of ${measured.requests} failed`);
  const awaited = measured.requests * right.wireBytes;
  const allowed = connections * right.wireBytes + awaited * LOOSE;
  if (Math.abs(measured.bytes - awaited) > allowed)
    found.push(`${measured.bytes} bytes came, ${awaited} would have been right`);
  return found;
}
