/** Many requests in flight at once, over many connections, gateways and instances: exactly as many as there are slots, and cheap. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { RawClient } from "./client.ts";
import { APPS, eventually, Headrace, PATIENCE_MS, residentBytes } from "./harness.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const APP = join(APPS, "raw_asgi.py");
const INSTANCES = 25;
const SLOTS = 80;
const REQUESTS = INSTANCES * SLOTS;
/** Connections made at the same time. */
const BATCH = 100;
/** What one request in flight may cost in all gateways together; it is a fifth of that on an idle machine. */
const GATEWAY_BYTES = 16 * 1024;

async function send(port: number, from: number, count: number): Promise<RawClient[]> {
  const keys = Array.from({ length: count }, (_, i) => from + i);
  return await Promise.all(
    keys.map(async (key) => (await RawClient.open(port)).request("GET", `/stage?key=${key}`)),
  );
}

test("2,000 requests fill 25 instances of 80 slots over two gateways; one more waits; all are answered", async () => {
  using stage = await Stage.open();
  await using headrace = await Headrace.start(APP, {
    args: [
      "--gateways",
      "2",
      "--instances",
      String(INSTANCES),
      "--concurrency",
      String(SLOTS),
      "--line-wait",
      "120s",
    ],
    env: stage.env,
  });
  await eventually("all instances", async () => {
    const { instances } = await headrace.status();
    return instances.filter(({ state }) => state === "ready").length === INSTANCES || undefined;
  });
  const gateways = (await headrace.status()).gateways.map(({ pid }) => pid);
  const memory = () => gateways.reduce((sum, pid) => sum + residentBytes(pid), 0);
  const idle = memory();
  const clients: RawClient[] = [];
  while (clients.length < REQUESTS) clients.push(...(await send(headrace.port, clients.length, BATCH)));
  await stage.waitFor("all to be in the app", () => stage.running().length === REQUESTS || undefined);
  const full = await headrace.status();
  expect(full.instances.map(({ inFlight }) => inFlight)).toEqual(Array(INSTANCES).fill(SLOTS));
  expect(full.line.waiting).toBe(0);
  expect((memory() - idle) / REQUESTS).toBeLessThan(GATEWAY_BYTES);

  clients.push(...(await send(headrace.port, REQUESTS, 1)));
  await eventually("one to wait", async () => (await headrace.status()).line.waiting === 1 || undefined);
  expect(stage.running().length).toBe(REQUESTS);

  stage.release();
  const answers = await Promise.all(clients.map((client) => client.answer()));
  expect(answers.filter(({ status }) => status === 200).length).toBe(REQUESTS + 1);
  for (const client of clients) client.close();
});
