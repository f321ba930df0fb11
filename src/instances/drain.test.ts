import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DataClient } from "./testdata.ts";
import { asgiApp, Kit, options, untilGone } from "./testkit.ts";

/** A pool of one with a request that is in flight until the returned function is called. */
async function busy(kit: Kit) {
  await kit.pool.start();
  const gate = join(kit.dir, "gate");
  const { id, row, socket } = kit.routes[0]!;
  const client = await DataClient.connect(socket);
  kit.rows.get(row)!.inFlight = 1;
  const answer = client.get(`/wait?${gate}`);
  // The gateway's part: it gives the slot back when it reads the answer's end.
  void answer.then(() => {
    const entry = kit.rows.get(row);
    if (entry !== undefined) entry.inFlight = 0;
  });
  await kit.lines.until(({ line }) => line === "waiting");
  return { id, row, client, answer, finish: () => writeFileSync(gate, "") };
}

/** Beside /wait there is /stream, whose response goes on. */
const streaming = asgiApp.replace(
  '    if scope["path"] == "/say":',
  `    if scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        print("streaming", flush=True)
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0.005)
    if scope["path"] == "/say":`,
);

test(
  "a drain leaves routing and closes the row first, then waits for the request in flight",
  async () => {
    await using kit = new Kit(asgiApp);
    const { id, row, answer, finish } = await busy(kit);
    const stopped = kit.pool.stop({ drainMs: 600_000 });
    await kit.published.until((routes) => routes.length === 0);
    expect(kit.rows.get(row)).toEqual({ inFlight: 1, open: false, served: 0 });
    expect(kit.events.entries.some((event) => event.kind === "state" && event.to === "stopping")).toBe(false);
    finish();
    expect(await answer).toMatchObject({ status: 200, ended: "done" });
    await stopped;
    const states = kit.events.entries.flatMap((event) =>
      event.kind === "state" && event.instance === id ? [event.to] : [],
    );
    expect(states).toEqual(["ready", "draining", "stopping", "stopped"]);
    expect(kit.count("drain-over")).toBe(0);
    expect(kit.count("killed")).toBe(0);
  },
  options,
);

test(
  "a slot that is reserved but not used yet holds the drain up, also when no stream is open",
  async () => {
    await using kit = new Kit(asgiApp);
    await kit.pool.start();
    const { row, socket } = kit.routes[0]!;
    kit.rows.get(row)!.inFlight = 1;
    const client = await DataClient.connect(socket);
    const stopped = kit.pool.stop({ drainMs: 600_000 });
    await kit.published.until((routes) => routes.length === 0);
    // The request that was placed just before the drain arrives now, and is served.
    expect(await client.get("/")).toMatchObject({ status: 200 });
    kit.rows.get(row)!.inFlight = 0;
    await stopped;
    expect(kit.count("drain-over")).toBe(0);
  },
  options,
);

test(
  "when the drain time is over, what is left is disconnected and the lifespan still shuts down",
  async () => {
    const source = asgiApp.replace(
      "while not os.path.exists(gate):",
      'while (await receive())["type"] != "http.disconnect":',
    );
    await using kit = new Kit(source);
    await busy(kit);
    await kit.pool.stop({ drainMs: 50 });
    expect(await kit.event("drain-over")).toMatchObject({ inFlight: 1, drainMs: 50 });
    await kit.lines.until(({ line }) => line === "lifespan shutdown");
    expect(kit.count("killed")).toBe(0);
  },
  options,
);

test(
  "an instance that leaves by our wish waits for its requests, and ends what lasts after the drain time",
  async () => {
    await using kit = new Kit(streaming, { drainMs: 100, patienceMs: 600_000 });
    const { id, client, answer, finish } = await busy(kit);
    const stream = client.get("/stream");
    await kit.lines.until(({ line }) => line === "streaming");
    const scaled = kit.pool.scale(0);
    // The drain time is over once it is cut.
    expect(await stream).toMatchObject({ ended: "reset" });
    finish();
    expect(await answer).toMatchObject({ status: 200, ended: "done" });
    await scaled;
    await kit.event("state", ({ instance, to }) => instance === id && to === "stopped");
    expect(kit.count("drain-over")).toBe(0);
    client.close();
  },
  options,
);

test(
  "a stop does not wait longer for an instance that leaves already",
  async () => {
    await using kit = new Kit(asgiApp, { patienceMs: Number.POSITIVE_INFINITY });
    const { id, finish } = await busy(kit);
    const scaled = kit.pool.scale(0);
    await kit.event("state", ({ instance, to }) => instance === id && to === "draining");
    await kit.pool.stop({ drainMs: 50 });
    expect(await kit.event("drain-over")).toMatchObject({ instance: id, inFlight: 1, drainMs: 50 });
    await scaled;
    finish();
  },
  options,
);

test(
  "an instance that ignores its stop is killed",
  async () => {
    const ignores = asgiApp.replace('print("lifespan shutdown", flush=True)', "import time; time.sleep(600)");
    await using kit = new Kit(ignores, { shutdownTimeoutMs: 100 });
    await kit.pool.start();
    const [part] = await kit.pool.report();
    await kit.pool.stop({ drainMs: 100 });
    expect(await kit.event("killed")).toMatchObject({ pid: part!.pid });
    await untilGone(part!.pid);
  },
  options,
);

test(
  "a stuck instance shows its stacks, is replaced at once, and is killed after a grace",
  async () => {
    const source = asgiApp.replace("await asyncio.sleep(0.005)", "import time; time.sleep(600)");
    await using kit = new Kit(source);
    const { id, answer } = await busy(kit);
    const gone = kit.pool.stuck(id, "a request is over its time");
    await kit.published.until((routes) => routes.length === 1 && routes[0]!.id !== id);
    await kit.lines.until(({ line }) => line.includes("in app"));
    expect(kit.events.entries.some((event) => event.kind === "killed")).toBe(false);
    await gone;
    expect(await kit.event("killed")).toMatchObject({ instance: id });
    expect(await answer).toMatchObject({ ended: "lost" });
    expect(kit.count("crashed")).toBe(0);
  },
  options,
);

test(
  "a gateway's connection that ended is passed up",
  async () => {
    await using kit = new Kit(asgiApp);
    await kit.pool.start();
    const { id, socket } = kit.routes[0]!;
    const client = await DataClient.connect(socket, 41);
    await client.get("/");
    client.close();
    expect(await kit.released.until(() => true)).toEqual({ instance: id, gateway: 41 });
  },
  options,
);
