/** From one instance to a hundred. */
import type { Outcome } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import { quantile } from "../frame/statistics.ts";
import { Server } from "../stacks/started.ts";

const APP = "bench/apps/fastapi_slow.py";
const MIB = 2 ** 20;
const STACK = "headrace";
/** How long a request holds its slot. */
const HELD_S = 2;

export const scaleOut: Part = {
  name: "scale-out",
  about: `${APP}: a hundred requests at once for a service with one instance of one slot, until a hundred instances are ready.`,
  wrk: false,
  metrics: {
    ready: { unit: "ms", better: "less", about: "until the last instance is ready" },
    idle: { unit: "MiB", better: "less", about: "PSS of an instance that has served nothing yet, median" },
    used: { unit: "MiB", better: "less", about: "PSS of an instance after its first request, median" },
  },
  estimate: ({ rounds, quick }) => (quick ? 12 : rounds * 8),
  async run(bench) {
    const count = bench.settings.quick ? 8 : 100;
    const name = `1 to ${count} instances`;
    const range = ["--min-instances", "1", "--max-instances", `${count}`, "--concurrency", "1"];
    for (const round of bench.rounds) {
      const idle = await idleMemory(count);
      const server = await Server.start(APP, range);
      bench.command(`${name}: ${STACK}`, server.command);
      try {
        await bench.observe(
          { case: name, stack: STACK, round },
          () => server.cpu(),
          () => measured(server, count, idle),
        );
      } finally {
        await server.stop();
      }
    }
    bench.bar({ case: name, stack: STACK, metric: "ready", most: 1_000 });
    bench.bar({ case: name, stack: STACK, metric: "idle", most: 6 });
  },
};

async function measured(server: Server, count: number, idle: number): Promise<Outcome> {
  const began = Date.now();
  const url = `http://127.0.0.1:${server.port}/slow/${HELD_S}`;
  const right = async () => {
    const answer = await fetch(url);
    return (await answer.text()) === `{"slept":${HELD_S}.0}` && answer.status === 200;
  };
  const answers = await Promise.all(Array.from({ length: count }, right));
  const times = server.readyTimes().filter((at) => at >= began);
  const failed = answers.filter((fine) => !fine).length;
  const faults = failed > 0 ? [`${failed} requests failed`] : [];
  if (times.length < count - 1) faults.push(`only ${times.length + 1} instances became ready`);
  return {
    values: { ready: Math.max(...times) - began, idle, used: await memory(server) },
    faults,
    // The requests are this process's own.
    cpuSeconds: 0,
  };
}

async function memory(server: Server): Promise<number> {
  const { instances } = await server.status();
  return quantile(
    instances.map(({ memoryBytes }) => memoryBytes / MIB),
    0.5,
  );
}

/** Of an instance of as many that have served nothing yet. */
async function idleMemory(count: number): Promise<number> {
  const server = await Server.start(APP, ["--instances", `${count}`]);
  try {
    return await memory(server);
  } finally {
    await server.stop();
  }
}
