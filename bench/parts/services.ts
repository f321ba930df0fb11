/** A hundred services of one file beside one: what the idle ones cost, and whether a busy one feels them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome, Running } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import { APPS, PYTHON, ROOT } from "../frame/places.ts";
import { wrk } from "../load/wrk.ts";
import type { Stack } from "../stacks/stack.ts";
import { RAW } from "./apps.ts";

const MANY = 100;
const CONNECTIONS = 64;
const REST_MS = 3_000;
const MIB = 2 ** 20;
const BUSY = { ...RAW, path: "/busy" };

export const services: Part = {
  name: "services",
  about: `One headrace up with ${MANY} services, of which one is busy and the others sleep at zero instances, beside one with the busy service alone. All are the raw ASGI app, each with its own route, line and limits.`,
  wrk: true,
  metrics: {
    rest: { unit: "MiB", better: "less", about: "PSS of all processes before the first request" },
    idleCpu: { unit: "%", better: "less", about: "of one core, before the first request" },
    rate: { unit: "/s", better: "more", about: "requests that the busy service answered in a second" },
    p50: { unit: "ms", better: "less", about: "latency of the busy service" },
    p99: { unit: "ms", better: "less", about: "the same, 99 % stay below" },
    cpu: { unit: "s", better: "less", about: "CPU seconds for 100,000 requests" },
  },
  estimate: ({ rounds, seconds, quick }) => (quick ? 25 : rounds * 2 * (seconds + 9) + 10),
  async run(bench) {
    const many = bench.settings.quick ? 5 : MANY;
    const stacks = [applicationOf(1), applicationOf(many)];
    await bench.fresh(BUSY, stacks, {
      case: "raw ASGI",
      measure: (running) => measured(running, bench.settings),
    });
    bench.pair({ case: "raw ASGI", stack: stacks[1]!.name, peer: stacks[0]!.name, main: true });
  },
};

/** The first is the one that is asked. */
function applicationOf(count: number): Stack {
  const name = count === 1 ? "1 service" : `${count} services`;
  return {
    name,
    against: null,
    missing: null,
    ready: "/busy",
    launch: ({ port, spare, scratch }) => {
      const file = join(scratch, "headrace.yaml");
      writeFileSync(file, applicationFile({ name: name.replace(" ", "-"), count, port, admin: spare }));
      const command = [join(ROOT, "headrace"), "up", "--file", file, "--state-dir", join(scratch, "state")];
      return { command, cwd: scratch };
    },
  };
}

interface Application {
  readonly name: string;
  readonly count: number;
  readonly port: number;
  readonly admin: number;
}

function applicationFile({ name, count, port, admin }: Application): string {
  const service = (index: number) => `  s${index}:
    app: ${RAW.target}
    dir: ${APPS}
    python: ${PYTHON}
    route: { path: ${index === 0 ? BUSY.path : `/idle${index}`}, strip: true }
    scale: { min: ${index === 0 ? 1 : 0}, max: 1 }
`;
  const services = Array.from({ length: count }, (_, index) => service(index)).join("");
  return `name: ${name}\nlisten: { port: ${port} }\nadmin: { port: ${admin} }\nlogs: { access: off }\nservices:\n${services}`;
}

async function measured(
  running: Running,
  { seconds, pin }: { readonly seconds: number; readonly pin: { readonly load: string } | null },
): Promise<Outcome> {
  const before = running.group.cpuSeconds().all;
  await Bun.sleep(REST_MS);
  const idleCpu = ((running.group.cpuSeconds().all - before) / (REST_MS / 1_000)) * 100;
  const rest = running.group.memory() / MIB;
  const url = `http://127.0.0.1:${running.port}${BUSY.path}`;
  await wrk({ url, connections: CONNECTIONS, seconds: 1, cores: pin?.load ?? null });
  const used = running.group.cpuSeconds().all;
  const load = await wrk({ url, connections: CONNECTIONS, seconds, cores: pin?.load ?? null });
  const cpu = ((running.group.cpuSeconds().all - used) * 100_000) / Math.max(1, load.requests);
  return {
    values: { rest, idleCpu, rate: load.requestsPerSecond, p50: load.p50Ms, p99: load.p99Ms, cpu },
    faults: load.errors > 0 ? [`${load.errors} errors`] : [],
    cpuSeconds: load.cpuSeconds,
  };
}
