/**
 * From zero to the first byte: a service without any instance gets a request. Beside it, on the same machine and in the same rounds,
 * the yardstick: uvicorn started anew, from its launch to the first byte of the same app (examples/fastapi).
 *
 *   scripts/bun bench/cold-start.ts [--rounds 11] [--services 10] [--spawned 2]
 *
 * Several services take turns, so that a round is over in about the time after which a service goes to zero. Nothing else runs during a
 * wake. Writes bench/results/cold-start-DATE.json and .md; the status is 1 when a bar is missed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Group } from "./processes.ts";
import { machine, median } from "./run.ts";

const ROOT = join(import.meta.dir, "..");
const FIRST_PORT = 18_400;
const UVICORN_PORT = 18_398;
const PATH = "/";
const BARS = { p50Ms: 25, p99Ms: 60, spawnedRatio: 1.2 };

type Contender = "headrace, warm zygote" | "headrace --preload off" | "uvicorn, started anew";

interface Row {
  readonly contender: Contender;
  readonly round: number;
  readonly ms: number;
  /** What Server-Timing said, milliseconds. */
  readonly phases: Readonly<Record<string, number>>;
}

interface Service {
  readonly contender: Contender;
  readonly port: number;
  readonly group: Group;
}

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "11" },
    services: { type: "string", default: "10" },
    spawned: { type: "string", default: "2" },
  },
});

const print = (line: string) => process.stdout.write(`${line}\n`);

async function startService(contender: Contender, port: number): Promise<Service> {
  const preload = contender === "headrace --preload off" ? "off" : "app";
  const command = [join(ROOT, "headrace"), "run", "examples/fastapi/main.py:app", "--port", `${port}`];
  command.push("--admin-port", `${port + 1}`, "--preload", preload, "--min-instances", "0");
  command.push(
    "--max-instances",
    "4",
    "--scale-to-zero-after",
    "6s",
    "--server-timing",
    "--access-log",
    "off",
  );
  const group = await Group.start(contender, command, `http://127.0.0.1:${port}${PATH}`, { cwd: ROOT });
  return { contender, port, group };
}

/** Waits until the service has no instance any more. */
async function atZero({ contender, port }: Service): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await Bun.sleep(100)) {
    const answer = await fetch(`http://127.0.0.1:${port + 1}/v1/status`);
    const status = (await answer.json()) as { readonly instances: readonly unknown[] };
    if (status.instances.length === 0) return;
  }
  throw new Error(`${contender} on port ${port} does not go to zero`);
}

async function wake({ contender, port }: Service, round: number): Promise<Row> {
  const began = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}${PATH}`, { headers: { connection: "close" } });
  const ms = performance.now() - began;
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`${contender} answered ${answer.status}`);
  const said = answer.headers.get("server-timing") ?? "";
  const phases = [...said.matchAll(/([\w-]+);dur=([\d.]+)/g)].map(([, name, dur]) => [name, Number(dur)]);
  return { contender, round, ms, phases: Object.fromEntries(phases) };
}

async function startUvicorn(round: number): Promise<Row> {
  const python = join(ROOT, ".venv/bin/python");
  const app = ["-m", "uvicorn", "main:app", "--app-dir", join(ROOT, "examples/fastapi")];
  const began = performance.now();
  const child = Bun.spawn([python, ...app, "--port", `${UVICORN_PORT}`, "--log-level", "warning"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${UVICORN_PORT}${PATH}`, {
        headers: { connection: "close" },
      }).catch(() => undefined);
      const ms = performance.now() - began;
      if (answer?.status === 200) return { contender: "uvicorn, started anew", round, ms, phases: {} };
      if (child.exitCode !== null || ms > 30_000) throw new Error("uvicorn did not start");
      await Bun.sleep(2);
    }
  } finally {
    child.kill("SIGTERM");
    await child.exited;
  }
}

async function measure(): Promise<Row[]> {
  const rows: Row[] = [];
  const services: Service[] = [];
  try {
    for (let i = 0; i < Number(flags.services); i += 1)
      services.push(await startService("headrace, warm zygote", FIRST_PORT + 2 * services.length));
    for (let i = 0; i < Number(flags.spawned); i += 1)
      services.push(await startService("headrace --preload off", FIRST_PORT + 2 * services.length));
    for (let round = 1; round <= Number(flags.rounds); round += 1) {
      for (const service of services) await atZero(service);
      for (const service of services) {
        rows.push(await wake(service, round));
        if (service.contender === "headrace --preload off") rows.push(await startUvicorn(round));
      }
      print(`round ${round} of ${flags.rounds}`);
    }
  } finally {
    await Promise.all(services.map(({ group }) => group.stop()));
  }
  return rows;
}

/** The value below which a share of all lies, by nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Ratios of medians within each round. */
function ratios(rows: readonly Row[], own: Contender, peer: Contender): number[] {
  const rounds = [...new Set(rows.map(({ round }) => round))];
  const mid = (round: number, contender: Contender) =>
    median(rows.filter((row) => row.round === round && row.contender === contender).map(({ ms }) => ms));
  return rounds.map((round) => mid(round, own) / mid(round, peer));
}

function report(rows: readonly Row[]): { readonly text: string; readonly missed: readonly string[] } {
  const peer = "uvicorn, started anew";
  const lines = [
    "# From zero to the first byte",
    "",
    machine(),
    "",
    "| what | times | p50 ms | p99 ms | longest | of uvicorn's | spread |",
    "|---|---|---|---|---|---|---|",
  ];
  const phases: string[] = [];
  const mid: Partial<Record<Contender, { p50: number; p99: number; ratio: number }>> = {};
  for (const contender of new Set(rows.map((row) => row.contender))) {
    const own = rows.filter((row) => row.contender === contender);
    const ms = own.map((row) => row.ms);
    const of = ratios(rows, contender, peer);
    const [p50, p99, ratio] = [median(ms), percentile(ms, 0.99), median(of)];
    mid[contender] = { p50, p99, ratio };
    const spread = `${Math.min(...of).toFixed(3)} to ${Math.max(...of).toFixed(3)}`;
    const figures = [p50, p99, Math.max(...ms)].map((value) => value.toFixed(1));
    lines.push(`| ${[contender, own.length, ...figures, ratio.toFixed(3), spread].join(" | ")} |`);
    const names = [...new Set(own.flatMap((row) => Object.keys(row.phases)))];
    const medians = names.map(
      (name) => `${name} ${median(own.map((row) => row.phases[name] ?? 0)).toFixed(1)}`,
    );
    if (names.length > 0) phases.push(`- ${contender}: ${medians.join(", ")}`);
  }
  lines.push(
    "",
    "By phase, as Server-Timing says (medians in ms; the phases of a start are part of the wait):",
    "",
  );
  lines.push(...phases, "");
  const [warm, spawned] = [mid["headrace, warm zygote"], mid["headrace --preload off"]];
  const missed: string[] = [];
  if (warm !== undefined && warm.p50 > BARS.p50Ms) missed.push(`p50 over ${BARS.p50Ms} ms`);
  if (warm !== undefined && warm.p99 > BARS.p99Ms) missed.push(`p99 over ${BARS.p99Ms} ms`);
  if (spawned !== undefined && spawned.ratio > BARS.spawnedRatio)
    missed.push(`without a zygote over ${BARS.spawnedRatio} x uvicorn's start`);
  const bars = `p50 ${BARS.p50Ms} ms and p99 ${BARS.p99Ms} ms with a warm zygote, ${BARS.spawnedRatio} x uvicorn's start without one`;
  lines.push(`Bars: ${bars}. ${missed.length === 0 ? "All are met." : `Missed: ${missed.join("; ")}.`}`);
  return { text: lines.join("\n"), missed };
}

async function main(): Promise<number> {
  const rows = await measure();
  const { text, missed } = report(rows);
  const folder = join(ROOT, "bench/results");
  mkdirSync(folder, { recursive: true });
  const name = `cold-start-${new Date().toISOString().slice(0, 10)}`;
  writeFileSync(
    join(folder, `${name}.json`),
    `${JSON.stringify({ machine: machine(), flags, rows }, null, 1)}\n`,
  );
  writeFileSync(join(folder, `${name}.md`), `${text}\n`);
  print(`\n${text}`);
  return missed.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main());
