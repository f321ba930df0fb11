/** Requests on a schedule while what serves them is deployed, shifted and reconfigured, one change after the other. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench, Outcome, Running } from "../frame/bench.ts";
import type { Settings } from "../frame/model.ts";
import type { Part } from "../frame/part.ts";
import { APPS, PYTHON, ROOT } from "../frame/places.ts";
import { quantile } from "../frame/statistics.ts";
import type { Stack } from "../stacks/stack.ts";
import { RAW } from "./apps.ts";

const RATE = 2_000;
const CHANGES = 20;
/** Before the first change and after the last one. */
const QUIET_MS = 1_000;
const LONGEST = "10m";
const SERVICE = "api";
const STACK = "headrace up";

export const changes: Part = {
  name: "changes",
  about: `headrace load at ${RATE.toLocaleString("en-US")} requests/s against a service of headrace up, from before the first to after the last of ${CHANGES} deploys, ${CHANGES} shifts of the traffic and ${CHANGES} changed files, in turns and one after the other. A single failed request and the round does not count.`,
  wrk: false,
  extra: true,
  metrics: {
    failed: { unit: "", better: "less", about: "requests that failed" },
    off: { unit: "%", better: "less", about: `by which the rate was missed` },
    p50: { unit: "ms", better: "less", about: "latency that half of the requests stay below" },
    p99: { unit: "ms", better: "less", about: "latency that 99 % stay below" },
    deploy: { unit: "ms", better: "less", about: "from a deploy to its requests, median" },
    shift: { unit: "ms", better: "less", about: "from a shift of the traffic until it holds, median" },
    file: {
      unit: "ms",
      better: "less",
      about:
        "from a changed file until it holds, median; a new revision has to stay up for two seconds of these",
    },
  },
  estimate: ({ rounds, quick }) => (quick ? 25 : rounds * 95),
  async run(bench) {
    const { stack, write } = application();
    const count = bench.settings.quick ? 2 : CHANGES;
    const name = `${RATE.toLocaleString("en-US")}/s, ${count} of each`;
    await bench.fresh(RAW, [stack], {
      case: name,
      measure: (running) => measured(bench.settings, running, new Changer(running.spare, count, write)),
    });
    bars(bench, name);
  },
};

function bars(bench: Bench, name: string): void {
  bench.bar({ case: name, stack: STACK, metric: "failed", most: 0 });
  // Where others want the machine, too, it says nothing.
  if (!bench.settings.quick) bench.bar({ case: name, stack: STACK, metric: "off", most: 1 });
}

/** @returns the stack, and what writes its file anew with another number of slots */
function application(): { readonly stack: Stack; readonly write: (slots: number) => void } {
  let write = (_slots: number) => {};
  const stack: Stack = {
    name: STACK,
    against: null,
    missing: null,
    launch: ({ port, spare, scratch }) => {
      const file = join(scratch, "headrace.yaml");
      write = (slots) =>
        writeFileSync(
          file,
          `name: changes\nlisten: { port: ${port} }\nadmin: { port: ${spare} }\nlogs: { access: off }\nservices:
  ${SERVICE}: { app: "${RAW.target}", dir: ${APPS}, python: ${PYTHON}, concurrency: ${slots}, route: { path: / } }\n`,
        );
      write(80);
      const command = [join(ROOT, "headrace"), "up", "--file", file, "--state-dir", join(scratch, "state")];
      return { command, cwd: scratch };
    },
  };
  return { stack, write: (slots) => write(slots) };
}

/** Changes a service by its admin API, each after the last one holds. */
class Changer {
  readonly took = { deploy: [] as number[], shift: [] as number[], file: [] as number[] };
  readonly #admin: number;
  readonly #count: number;
  readonly #write: (slots: number) => void;

  constructor(admin: number, count: number, write: (slots: number) => void) {
    this.#admin = admin;
    this.#count = count;
    this.#write = write;
  }

  async run(): Promise<void> {
    let old = "rev-1";
    for (let n = 1; n <= this.#count; n++) {
      const fresh = await this.#timed("deploy", async () => {
        const report = await this.#ask("POST", `/v1/services/${SERVICE}/deploy?settleMs=0`);
        return (report as { readonly revision: string }).revision;
      });
      await this.#timed("shift", () => {
        const targets = [
          { revision: fresh, weight: 30 },
          { revision: old, weight: 70 },
        ];
        return this.#ask("PUT", `/v1/services/${SERVICE}/traffic`, { targets });
      });
      this.#write(80 + n);
      await this.#timed("file", () => this.#ask("POST", "/v1/reload"));
      const all = (await this.#ask("GET", `/v1/services/${SERVICE}/revisions`)) as { revision: string }[];
      old = all[0]!.revision;
    }
  }

  async #timed<T>(kind: keyof Changer["took"], change: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const value = await change();
    this.took[kind].push(performance.now() - began);
    return value;
  }

  /** @throws Error when it was refused */
  async #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`http://127.0.0.1:${this.#admin}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await answer.text();
    if (!answer.ok)
      throw new Error(`${method} ${path} was answered with ${answer.status}: ${text.slice(0, 500)}`);
    return JSON.parse(text);
  }
}

async function measured(settings: Settings, running: Running, changer: Changer): Promise<Outcome> {
  const load = new Load(running.port, settings.pin?.load ?? null);
  let broken: unknown;
  try {
    await Bun.sleep(QUIET_MS);
    await changer.run();
    await Bun.sleep(QUIET_MS);
  } catch (error) {
    broken = error;
  }
  const seen = await load.end();
  const median = (values: readonly number[]) => quantile(values, 0.5);
  const { deploy, shift, file } = changer.took;
  return {
    values: {
      failed: seen.failed,
      off: Math.abs(seen.startedPerS / RATE - 1) * 100,
      p50: seen.p50Ms,
      p99: seen.p99Ms,
      deploy: median(deploy),
      shift: median(shift),
      file: median(file),
    },
    faults: [
      ...(broken === undefined ? [] : [String(broken)]),
      ...(seen.failed > 0 ? [`${seen.failed} of ${seen.done} requests failed: ${seen.why}`] : []),
      ...(seen.done < RATE ? [`only ${seen.done} requests were made`] : []),
    ],
    cpuSeconds: seen.cpuSeconds,
  };
}

interface Seen {
  readonly done: number;
  readonly failed: number;
  readonly startedPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What the failures were, and how often. */
  readonly why: string;
  readonly cpuSeconds: number;
}

/** headrace load, until it is told to end: then it reports what there was. */
class Load {
  readonly #scratch = mkdtempSync(join(tmpdir(), "headrace-changes-"));
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;

  constructor(port: number, cores: string | null) {
    const pin = cores === null ? [] : ["taskset", "-c", cores];
    const url = `http://127.0.0.1:${port}${RAW.path}`;
    const words = ["--rate", String(RATE), "-d", LONGEST, "--expect-status", "200"];
    const rest = ["-q", "--admin", "off", "--json", join(this.#scratch, "run.json")];
    this.#child = Bun.spawn([...pin, join(ROOT, "headrace"), "load", url, ...words, ...rest], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  async end(): Promise<Seen> {
    try {
      this.#child.kill("SIGINT");
      const said = await new Response(this.#child.stderr).text();
      await this.#child.exited;
      const file = Bun.file(join(this.#scratch, "run.json"));
      if (!(await file.exists())) throw new Error(`headrace load said: ${said.slice(-500)}`);
      const { totals, latency, failures, statuses } = JSON.parse(
        readFileSync(join(this.#scratch, "run.json"), "utf8"),
      ) as {
        readonly totals: Pick<Seen, "done" | "failed" | "startedPerS">;
        readonly failures: unknown;
        readonly statuses: unknown;
        readonly latency: { readonly response: Pick<Seen, "p50Ms" | "p99Ms"> };
      };
      const cpuSeconds = Number(this.#child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
      const why = JSON.stringify({ failures, statuses });
      return { ...totals, ...latency.response, why, cpuSeconds };
    } finally {
      rmSync(this.#scratch, { recursive: true, force: true });
    }
  }
}
