/** Five times as much as can be done, open loop, with a deadline; then eight tenths. */

import { join } from "node:path";
import { ROOT, Server } from "../headrace.ts";
import type { Figure, Part } from "../part.ts";

const APP = "bench/apps/sleeper.py";
const PORT = 18_600;
/** Eight slots of 40 ms: the slots are the limit, not the processors that the generator needs as well. */
const SLOTS = 8;
const SERVICE_MS = 40;
const CAPACITY = (SLOTS * 1_000) / SERVICE_MS;
const DEADLINE_MS = 1_000;
const WARM_S = 5;
const FLOOD_S = 15;
const AFTER_S = 15;

interface Flood {
  readonly seconds: readonly {
    readonly offered: number;
    readonly good: number;
    readonly late: number;
    readonly refused: number;
    readonly expired: number;
    readonly failed: number;
  }[];
  readonly acceptedP99Ms: number;
}

export const overload: Part = {
  name: "overload",
  about: `${CAPACITY} requests/s can be done (${SLOTS} slots, ${SERVICE_MS} ms); ${5 * CAPACITY}/s are offered for ${FLOOD_S} s, each with a deadline of ${DEADLINE_MS} ms.`,
  async run() {
    const peak = await measure([], `${WARM_S}:${CAPACITY * 0.5},${FLOOD_S}:${CAPACITY * 0.95}`);
    const peakGood = mean(peak, WARM_S + 2, WARM_S + FLOOD_S, ({ good }) => good) / 0.95;
    const stages = `${WARM_S}:${CAPACITY * 0.5},${FLOOD_S}:${CAPACITY * 5},${AFTER_S}:${CAPACITY * 0.8}`;
    const shed = await measure([], stages);
    const plain = await measure(["--no-shed"], stages);
    return [
      { name: "peak, requests/s in time", value: peakGood, unit: "/s" },
      ...figures("shedding", shed, peakGood, true),
      ...figures("shedding off", plain, peakGood, false),
    ];
  },
};

async function measure(args: readonly string[], stages: string): Promise<Flood> {
  const limits = ["--concurrency", `${SLOTS}`, "--gateways", "2", "--line-depth", "100000"];
  const server = await Server.start(APP, PORT, [...limits, ...args]);
  try {
    const script = [
      join(ROOT, "bench/flood.ts"),
      `${PORT}`,
      `/${SERVICE_MS / 1_000}`,
      `${DEADLINE_MS}`,
      stages,
    ];
    const child = Bun.spawn([process.execPath, ...script], { stdout: "pipe", stderr: "inherit" });
    return JSON.parse(await new Response(child.stdout).text()) as Flood;
  } finally {
    await server.stop();
  }
}

type Second = Flood["seconds"][number];

function mean({ seconds }: Flood, from: number, to: number, pick: (second: Second) => number): number {
  const some = seconds.slice(from, to);
  return some.reduce((sum, second) => sum + (second === null ? 0 : pick(second)), 0) / some.length;
}

function figures(name: string, flood: Flood, peakGood: number, bars: boolean): readonly Figure[] {
  const end = WARM_S + FLOOD_S;
  const goodput = mean(flood, WARM_S + 1, end, ({ good }) => good) / peakGood;
  const late = flood.seconds.reduce((sum, second) => sum + second.late, 0);
  const recovered = flood.seconds.findIndex(
    (second, at) => at >= end && second.good >= second.offered * 0.99,
  );
  const after = recovered === -1 ? AFTER_S : recovered - end;
  return [
    {
      name: `${name}: goodput at 5x : peak`,
      value: goodput,
      unit: "x",
      ...(bars ? { bar: { least: 0.9 } } : {}),
    },
    { name: `${name}: accepted and late`, value: late, unit: "", ...(bars ? { bar: { most: 0 } } : {}) },
    { name: `${name}: p99 of what was accepted`, value: flood.acceptedP99Ms, unit: "ms" },
    { name: `${name}: normal again after`, value: after, unit: "s", ...(bars ? { bar: { most: 10 } } : {}) },
  ];
}
