/**
 * Loads Headrace for a long time and looks at the memory of each of its processes every ten seconds. The verdict: none grows after
 * the first minute. Growth is the slope of a straight line through the samples, over the rest of the run; noise has none.
 *
 *   scripts/bun bench/soak.ts [--minutes 10] [--connections 128]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Group, memoryOf } from "./frame/processes.ts";
import { missing, wrk } from "./load/wrk.ts";

const ROOT = join(import.meta.dir, "..");
const URL = "http://127.0.0.1:18200";
const EVERY_MS = 10_000;
/** What a process may seem to gain over the run without being called growing: allocators round, samples jitter. */
const TOLERANCE = 6 * 2 ** 20;

const { values: flags } = parseArgs({
  options: { minutes: { type: "string", default: "10" }, connections: { type: "string", default: "128" } },
});

interface Sample {
  readonly second: number;
  readonly bytes: number;
}

const print = (line: string) => process.stdout.write(`${line}\n`);
const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

/** Bytes gained from the first to the last sample along the line of least squares. */
export function growth(samples: readonly Sample[]): number {
  if (samples.length < 2) return 0;
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(samples.map(({ second }) => second));
  const y = mean(samples.map(({ bytes }) => bytes));
  const over = samples.reduce((sum, each) => sum + (each.second - x) * (each.bytes - y), 0);
  const under = samples.reduce((sum, each) => sum + (each.second - x) ** 2, 0);
  const span = (samples.at(-1)?.second ?? 0) - (samples[0]?.second ?? 0);
  return under === 0 ? 0 : (over / under) * span;
}

/** Loads the paths in turn, a few seconds each, until the time is over. Gives back requests and errors. */
async function load(until: number): Promise<{ requests: number; errors: number }> {
  const sum = { requests: 0, errors: 0 };
  for (let turn = 0; performance.now() < until; turn += 1) {
    const path = ["/", "/stream", "/", "/moment"][turn % 4] ?? "/";
    const seconds = Math.max(1, Math.min(5, Math.round((until - performance.now()) / 1000)));
    const { requests, errors } = await wrk({
      url: URL + path,
      connections: Number(flags.connections),
      seconds,
    });
    sum.requests += requests;
    sum.errors += errors;
  }
  return sum;
}

async function main(): Promise<number> {
  const lack = missing();
  if (lack !== null) {
    process.stderr.write(`${lack}\n`);
    return 2;
  }
  const command = [
    join(ROOT, "headrace"),
    ...["run", "soak:app", "--app-dir", join(ROOT, "bench/apps"), "--port", "18200", "--admin-port", "18299"],
    ...[
      "--python",
      join(ROOT, ".venv/bin/python"),
      "--access-log",
      "off",
      "--instances",
      "2",
      "--gateways",
      "2",
    ],
    ...["--line-depth", "10000"],
  ];
  const group = await Group.start("headrace", { command }, `${URL}/`);
  const samples = new Map<string, Sample[]>();
  const start = performance.now();
  const look = () => {
    const second = Math.round((performance.now() - start) / 1000);
    for (const { pid, command: words } of group.processes()) {
      const name = `${pid} ${words.replaceAll(`${ROOT}/`, "").slice(0, 60)}`;
      samples.set(name, [...(samples.get(name) ?? []), { second, bytes: memoryOf(pid) }]);
    }
    print(
      `${String(second).padStart(4)} s  ${[...samples.values()].map((list) => mib(list.at(-1)?.bytes ?? 0)).join("  ")} MiB`,
    );
  };
  const timer = setInterval(look, EVERY_MS);
  let served = { requests: 0, errors: 0 };
  try {
    served = await load(start + Number(flags.minutes) * 60_000);
    look();
  } finally {
    clearInterval(timer);
    await group.stop();
  }
  const lines = [
    `${served.requests} requests, ${served.errors} errors in ${flags.minutes} minutes, ${flags.connections} connections`,
  ];
  let bad = served.errors > 0 ? 1 : 0;
  for (const [name, list] of samples) {
    const settled = list.filter(({ second }) => second >= 60);
    const gained = growth(settled);
    const verdict = gained > TOLERANCE ? "GROWS" : "steady";
    if (gained > TOLERANCE) bad += 1;
    const span = `${mib(settled[0]?.bytes ?? 0)} to ${mib(settled.at(-1)?.bytes ?? 0)} MiB`;
    lines.push(
      `${verdict}  ${name}: ${span} after the first minute, trend ${gained >= 0 ? "+" : ""}${mib(gained)} MiB`,
    );
  }
  mkdirSync(join(ROOT, "bench/results"), { recursive: true });
  const day = new Date().toISOString().slice(0, 10);
  writeFileSync(
    join(ROOT, `bench/results/soak-${day}.md`),
    `# Soak of ${day}\n\n${lines.map((line) => `- ${line}`).join("\n")}\n`,
  );
  print(lines.join("\n"));
  return bad > 0 ? 1 : 0;
}

if (import.meta.main) process.exit(await main());
