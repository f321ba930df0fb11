/** From one instance to a hundred. */

import { Server } from "../headrace.ts";
import { type Figure, type Part, quantile } from "../part.ts";

const APP = "bench/apps/fastapi_slow.py";
const COUNT = 100;
const MIB = 2 ** 20;

export const scaleOut: Part = {
  name: "scale-out",
  about: `${APP}: a hundred requests at once for a service with one instance of one slot, until a hundred instances are ready.`,
  async run(rounds) {
    const last: number[] = [];
    const idle: number[] = [];
    const used: number[] = [];
    let failed = 0;
    for (let round = 0; round < rounds; round++) {
      const range = ["--min-instances", "1", "--max-instances", `${COUNT}`, "--concurrency", "1"];
      const server = await Server.start(APP, 18_400, range);
      try {
        const began = Date.now();
        const url = `http://127.0.0.1:${server.port}/slow/3`;
        const answers = await Promise.all(
          Array.from({ length: COUNT }, () => fetch(url).then(({ status }) => status)),
        );
        failed += answers.filter((status) => status !== 200).length;
        const times = server.readyTimes().filter((at) => at >= began);
        if (times.length < COUNT - 1) throw new Error(`only ${times.length + 1} instances were ready`);
        last.push(Math.max(...times) - began);
        used.push(
          quantile(
            (await server.status()).instances.map(({ memoryBytes }) => memoryBytes / MIB),
            0.5,
          ),
        );
      } finally {
        await server.stop();
      }
      idle.push(await idleMemory());
    }
    return figures({ last, idle, used, failed });
  },
};

/** Of an instance of a hundred that have served nothing yet. */
async function idleMemory(): Promise<number> {
  const server = await Server.start(APP, 18_400, ["--instances", `${COUNT}`]);
  try {
    return quantile(
      (await server.status()).instances.map(({ memoryBytes }) => memoryBytes / MIB),
      0.5,
    );
  } finally {
    await server.stop();
  }
}

function figures(seen: {
  readonly last: readonly number[];
  readonly idle: readonly number[];
  readonly used: readonly number[];
  readonly failed: number;
}): readonly Figure[] {
  return [
    { name: "1 to 100 instances ready", value: quantile(seen.last, 0.5), unit: "ms", bar: { most: 1_000 } },
    { name: "slowest round", value: Math.max(...seen.last), unit: "ms" },
    { name: "requests that failed", value: seen.failed, unit: "", bar: { most: 0 } },
    {
      name: "PSS of an instance that is ready",
      value: quantile(seen.idle, 0.5),
      unit: "MiB",
      bar: { most: 6 },
    },
    { name: "PSS of an instance after its first request", value: quantile(seen.used, 0.5), unit: "MiB" },
  ];
}
