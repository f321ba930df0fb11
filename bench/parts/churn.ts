/** Requests at full speed while instances come, go, are recycled and reloaded all the time. */

import { Server } from "../headrace.ts";
import type { Part } from "../part.ts";
import { missing, wrk } from "../wrk.ts";

const APP = "bench/apps/sleeper.py";
const PORT = 18_700;
const SECONDS = 30;

export const churn: Part = {
  name: "churn",
  about: `wrk with 64 connections for ${SECONDS} s against ${APP}, while instances are recycled after some thousand requests and every two seconds, restarted, reloaded and scaled between 1 and 6.`,
  async run() {
    const absent = missing();
    if (absent !== null) throw new Error(absent);
    const range = [
      "--min-instances",
      "1",
      "--max-instances",
      "6",
      "--concurrency",
      "8",
      "--stable-window",
      "6s",
    ];
    const recycling = [
      "--max-requests",
      "20000",
      "--max-requests-jitter",
      "20000",
      "--max-instance-age",
      "2s",
    ];
    const server = await Server.start(APP, PORT, [...range, ...recycling, "--gateways", "2"]);
    try {
      const load = wrk(`http://127.0.0.1:${PORT}/`, 64, SECONDS);
      const disturbed = disturb(server, SECONDS * 1_000 - 2_000);
      const { requestsPerSecond, errors, requests, p99Ms } = await load;
      const { reloads, held } = await disturbed;
      const recycled = server.output.split('"instance.recycled"').length - 1;
      return [
        { name: "requests/s", value: requestsPerSecond, unit: "/s", bar: { least: 10_000 } },
        { name: "requests", value: requests, unit: "" },
        { name: "errors", value: errors, unit: "", bar: { most: 0 } },
        { name: "p99", value: p99Ms, unit: "ms" },
        { name: "instances recycled", value: recycled, unit: "" },
        { name: "reloads", value: reloads, unit: "" },
        { name: "instances that became ready", value: server.readyTimes().length, unit: "" },
        { name: "slow requests beside them, answered", value: held, unit: "", bar: { least: reloads * 20 } },
      ];
    } finally {
      await server.stop();
    }
  },
};

/** Reloads, restarts and requests that hold their slots, in turns, as fast as they go. */
async function disturb(
  server: Server,
  ms: number,
): Promise<{ readonly reloads: number; readonly held: number }> {
  let reloads = 0;
  let held = 0;
  for (const end = performance.now() + ms; performance.now() < end; await Bun.sleep(500)) {
    await post(server, "/v1/reload");
    reloads++;
    const some = (await server.status()).instances.find(({ state }) => state === "ready");
    if (some !== undefined) await post(server, `/v1/instances/${some.id}/restart`);
    const url = `http://127.0.0.1:${server.port}/0.3`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fetch(url).then(({ status }) => status)),
    );
    held += answers.filter((status) => status === 200).length;
  }
  return { reloads, held };
}

async function post(server: Server, path: string): Promise<void> {
  await (await fetch(`http://127.0.0.1:${server.admin}${path}`, { method: "POST" })).text();
}
