/** Requests at full speed while instances come, go, are recycled and reloaded all the time. */
import type { Outcome } from "../frame/bench.ts";
import type { Settings } from "../frame/model.ts";
import { METRICS, type Part } from "../frame/part.ts";
import { probe } from "../load/probe.ts";
import { faults, wrk } from "../load/wrk.ts";
import { Server } from "../stacks/started.ts";

const APP = "bench/apps/sleeper.py";
const CONNECTIONS = 64;
const CASE = `${CONNECTIONS} connections`;
const STACK = "headrace";
const FLAGS = [
  ...["--min-instances", "1", "--max-instances", "6", "--concurrency", "8", "--stable-window", "6s"],
  ...[
    "--max-requests",
    "20000",
    "--max-requests-jitter",
    "20000",
    "--max-instance-age",
    "2s",
    "--gateways",
    "2",
  ],
];
/** Requests beside the load that hold their slots, each time. */
const HELD = 20;

export const churn: Part = {
  name: "churn",
  about: `wrk with ${CONNECTIONS} connections against ${APP}, while instances are recycled after some thousand requests and every two seconds, restarted, reloaded and scaled between 1 and 6. A single error and the round does not count.`,
  wrk: true,
  metrics: {
    rate: METRICS.rate,
    p99: METRICS.p99,
    recycled: { unit: "", better: "more", about: "instances recycled meanwhile" },
    ready: { unit: "", better: "more", about: "instances that became ready meanwhile" },
    reloads: { unit: "", better: "more", about: "reloads meanwhile" },
  },
  estimate: ({ rounds, seconds, quick }) => (quick ? 12 : rounds * (6 * seconds + 2)),
  async run(bench) {
    for (const round of bench.rounds) {
      const server = await Server.start(APP, FLAGS);
      bench.command(`${CASE}: ${STACK}`, server.command);
      try {
        await bench.observe(
          { case: CASE, stack: STACK, round },
          () => server.cpu(),
          () => measured(bench.settings, server),
        );
      } finally {
        await server.stop();
      }
    }
    bench.bar({ case: CASE, stack: STACK, metric: "rate", least: 10_000 });
  },
};

async function measured(settings: Settings, server: Server): Promise<Outcome> {
  const seconds = Math.max(4, 6 * settings.seconds);
  const right = await probe(server.port, "/");
  const url = `http://127.0.0.1:${server.port}/`;
  const load = wrk({ url, connections: CONNECTIONS, seconds, cores: settings.pin?.load ?? null });
  const disturbed = disturb(server, seconds * 1_000 - 1_500);
  const seen = await load;
  const { reloads, failed } = await disturbed;
  const recycled = server.output.split('"instance.recycled"').length - 1;
  const ready = server.readyTimes().length;
  return {
    values: { rate: seen.requestsPerSecond, p99: seen.p99Ms, recycled, ready, reloads },
    faults: [...faults(seen, right, CONNECTIONS), ...(failed > 0 ? [`${failed} slow requests failed`] : [])],
    cpuSeconds: seen.cpuSeconds,
  };
}

/** Reloads, restarts and requests that hold their slots, in turns, as fast as they go. */
async function disturb(
  server: Server,
  ms: number,
): Promise<{ readonly reloads: number; readonly failed: number }> {
  let reloads = 0;
  let failed = 0;
  for (const end = performance.now() + ms; performance.now() < end; await Bun.sleep(300)) {
    await post(server, "/v1/reload");
    reloads++;
    const some = (await server.status()).instances.find(({ state }) => state === "ready");
    if (some !== undefined) await post(server, `/v1/instances/${some.id}/restart`);
    const url = `http://127.0.0.1:${server.port}/0.3`;
    const answers = await Promise.all(
      Array.from({ length: HELD }, () => fetch(url).then(({ status }) => status)),
    );
    failed += answers.filter((status) => status !== 200).length;
  }
  return { reloads, failed };
}

async function post(server: Server, path: string): Promise<void> {
  await (await fetch(`http://127.0.0.1:${server.admin}${path}`, { method: "POST" })).text();
}
