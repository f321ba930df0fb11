/** Fifty thousand requests at once, each of which takes five seconds. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT, Server } from "../headrace.ts";
import { type Figure, type Part, quantile } from "../part.ts";

const APP = "bench/apps/sleeper.py";
const PORT = 18_500;
const PROCESSES = 4;
const EACH = 12_500;
const ALL = PROCESSES * EACH;
const IDEAL_MS = 5_000;
const RAMP_MS = 2_500;
/** Destination addresses of loopback: one pair of addresses has only some 28,000 ports. */
const ADDRESSES = 8;
const KIB = 1_024;

interface Held {
  readonly answered: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly latencies: readonly number[];
  readonly rssBytes: number;
}

export const inFlight: Part = {
  name: "in-flight",
  about: `${ALL} requests in flight over ${ALL} connections, ${ADDRESSES} addresses and 4 gateways, each awaiting 5 s; sent within ${RAMP_MS} ms.`,
  async run() {
    const few = await shape("5 instances x 10,000", ["--instances", "5", "--concurrency", "10000"]);
    const many = await shape("625 instances x 80", [
      ...["--min-instances", "625", "--max-instances", "625"],
      ...["--concurrency", "80"],
    ]);
    return [...few, ...many];
  },
};

async function shape(name: string, args: readonly string[]): Promise<readonly Figure[]> {
  const server = await Server.start(APP, PORT, ["--host", "0.0.0.0", "--gateways", "4", ...args]);
  try {
    const before = await server.status();
    const holders = Array.from({ length: PROCESSES }, hold);
    await Promise.all(holders.map((holder) => holder.opened));
    for (const holder of holders) holder.go();
    // All are sent, and none of the first is answered yet.
    await Bun.sleep((RAMP_MS + IDEAL_MS) / 2);
    const during = await server.status();
    const held = await Promise.all(holders.map((holder) => holder.result));
    return figures(name, { before, during, held });
  } finally {
    await server.stop();
  }
}

function hold(): { readonly opened: Promise<void>; readonly result: Promise<Held>; go(): void } {
  const script = [join(ROOT, "bench/hold.ts"), `${PORT}`, "/5", `${EACH}`, `${RAMP_MS}`, `${ADDRESSES}`];
  const child = spawn(process.execPath, script, { stdio: ["pipe", "pipe", "inherit"] });
  const opened = Promise.withResolvers<void>();
  const result = Promise.withResolvers<Held>();
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes("\n")) opened.resolve();
  });
  child.once("exit", () => {
    const line = text.split("\n").find((row) => row.startsWith("{"));
    if (line === undefined) result.reject(new Error(`the generator said: ${text}`));
    else result.resolve(JSON.parse(line) as Held);
  });
  return { opened: opened.promise, result: result.promise, go: () => void child.stdin.write("go\n") };
}

type Status = Awaited<ReturnType<Server["status"]>>;

function figures(
  shapeName: string,
  seen: { readonly before: Status; readonly during: Status; readonly held: readonly Held[] },
): readonly Figure[] {
  const { before, during, held } = seen;
  const latencies = held.flatMap((one) => one.latencies);
  const answered = held.reduce((sum, one) => sum + one.answered, 0);
  const running = during.instances.reduce((sum, { inFlight }) => sum + inFlight, 0);
  const grown = (kind: "gateways" | "instances") => {
    const memory = (status: Status) => status[kind].reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
    return (memory(during) - memory(before)) / KIB / running;
  };
  const name = (text: string) => `${shapeName}: ${text}`;
  return [
    { name: name("in flight at once"), value: running, unit: "", bar: { least: ALL } },
    { name: name("errors"), value: ALL - answered, unit: "", bar: { most: 0 } },
    { name: name("p99 : ideal"), value: quantile(latencies, 0.99) / IDEAL_MS, unit: "x", bar: { most: 1.2 } },
    { name: name("slowest : ideal"), value: Math.max(0, ...latencies.slice(-1)) / IDEAL_MS, unit: "x" },
    { name: name("gateway memory for each request"), value: grown("gateways"), unit: "KiB" },
    { name: name("instance memory for each request"), value: grown("instances"), unit: "KiB" },
    {
      name: name("generator memory for each connection"),
      value: held.reduce((sum, one) => sum + one.rssBytes, 0) / KIB / ALL,
      unit: "KiB",
    },
    {
      name: name("PSS of an instance at rest"),
      value: quantile(
        before.instances.map(({ memoryBytes }) => memoryBytes / KIB / KIB),
        0.5,
      ),
      unit: "MiB",
    },
  ];
}
