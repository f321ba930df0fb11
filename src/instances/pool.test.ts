import { expect, test } from "bun:test";
import { type Clock, systemClock } from "../base/clock.ts";
import { DataClient } from "./testdata.ts";
import { asgiApp as app, Kit, options, untilGone } from "./testkit.ts";

test(
  "instances are ready once the app is imported and its lifespan has started, and are published then",
  async () => {
    await using kit = new Kit(app, { instances: 2 });
    await kit.pool.start();
    expect(kit.pool.status).toMatchObject({ ready: true, interface: "asgi", wanted: 2, generation: 1 });
    expect(kit.routes.length).toBe(2);
    for (const route of kit.routes) {
      const client = await DataClient.connect(route.socket);
      expect(await client.get("/started")).toMatchObject({ status: 200, body: "1" });
      client.close();
    }
    const report = await kit.pool.report();
    expect(report.map((part) => part.state)).toEqual(["ready", "ready"]);
    for (const part of report) expect(part.memoryBytes).toBeGreaterThan(1_000_000);
  },
  options,
);

test(
  "a start that fails rejects with the Python traceback and leaves nothing behind",
  async () => {
    await using kit = new Kit("def broken():\n    return 1 / 0\nbroken()\n", { instances: 2 });
    const error = await kit.pool.start().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ code: "app_import_failed", exit: 3 });
    expect((error as { detail: string }).detail).toContain("in broken");
    expect((error as { detail: string }).detail).toContain("ZeroDivisionError");
    expect(kit.rows.size).toBe(0);
    expect(kit.count("restart")).toBe(0);
    expect(await kit.pool.report()).toEqual([]);
  },
  options,
);

test(
  "an app that ends its process while it is imported is told with its last lines and its exit",
  async () => {
    const source = "import os, sys\nprint('last words', file=sys.stderr, flush=True)\nos._exit(9)\n";
    await using kit = new Kit(source);
    const error = await kit.pool.start().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ code: "app_exited", detail: "last words" });
    expect((error as Error).message).toContain("exit status 9");
  },
  options,
);

test(
  "an instance that is not ready in time is ended, its stacks in the log",
  async () => {
    // The timer of the start is the test's: it fires once the import is known to hang.
    const startupTimeoutMs = 123_456;
    let fire = () => {};
    const clock: Clock = {
      ...systemClock,
      after: (ms, run) => {
        if (ms !== startupTimeoutMs) return systemClock.after(ms, run);
        fire = run;
        return () => {};
      },
    };
    const source =
      "import time\ndef hangs():\n    print('hanging', flush=True)\n    time.sleep(600)\nhangs()\n";
    await using kit = new Kit(source, { startupTimeoutMs }, { clock });
    void kit.lines.until(({ line }) => line === "hanging").then(() => fire());
    const error = await kit.pool.start().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ code: "start_timeout" });
    expect(kit.lines.entries.some((line) => line.line.includes("in hangs"))).toBe(true);
  },
  options,
);

test(
  "a killed instance leaves routing at once and is replaced, while the other goes on",
  async () => {
    await using kit = new Kit(app, { instances: 2 });
    await kit.pool.start();
    const [victim, other] = await kit.pool.report();
    process.kill(victim!.pid, "SIGKILL");
    const crashed = await kit.event("crashed");
    expect(crashed).toMatchObject({ instance: victim!.id, exit: { signal: "SIGKILL" } });
    await kit.published.until((routes) => routes.length === 2 && routes.every(({ id }) => id !== victim!.id));
    const without = kit.published.entries.find((routes) => routes.every(({ id }) => id !== victim!.id))!;
    expect(without.map(({ id }) => id)).toContain(other!.id);
    expect(await kit.event("restart")).toMatchObject({ delayMs: 0 });
  },
  options,
);

test(
  "an instance that dies again and again is replaced with growing waits, and the loop is told once",
  async () => {
    // Every instance dies once the file is there, before or after it is ready.
    const source = app.replace(
      "        await receive()\n        print",
      '        while not os.path.exists("die"):\n            await asyncio.sleep(0.005)\n        os._exit(7)\n        print',
    );
    expect(source).not.toBe(app);
    await using kit = new Kit(source, {}, { restart: { baseDelayMs: 20, loopCrashes: 3 } });
    await kit.pool.start();
    kit.write("die", "");
    await kit.event("restart", ({ delayMs }) => delayMs > 20);
    const delays = kit.events.entries.flatMap((event) => (event.kind === "restart" ? [event.delayMs] : []));
    expect(delays[0]).toBe(0);
    expect(delays.slice(0, 3)).toEqual([0, 15, 30]);
    await kit.event("crash-loop");
    expect(kit.pool.status.crashLooping).toBe(true);
    await kit.event("restart", ({ delayMs }) => delayMs > 60);
    expect(kit.count("crash-loop")).toBe(1);
  },
  options,
);

test(
  "output becomes lines with the instance and, inside a request, its id",
  async () => {
    await using kit = new Kit(app);
    await kit.pool.start();
    const { id, socket } = kit.routes[0]!;
    const client = await DataClient.connect(socket);
    await client.get("/say", "req-42");
    const said = await kit.lines.until(({ line }) => line === "said in a request");
    expect(said).toEqual({ instance: id, stream: "stdout", requestId: "req-42", line: "said in a request" });
    const err = await kit.lines.until(({ line }) => line === "to stderr");
    expect(err).toMatchObject({ stream: "stderr", requestId: "req-42" });
    client.close();
    await kit.pool.stop({ drainMs: 1000 });
    const last = await kit.lines.until(({ line }) => line === "lifespan shutdown");
    expect(last.requestId).toBe("");
  },
  options,
);

test(
  "scaling up and down keeps the number of instances, and retires the surplus with its lifespan",
  async () => {
    await using kit = new Kit(app);
    await kit.pool.start();
    await kit.pool.scale(3);
    expect(kit.routes.length).toBe(3);
    await kit.pool.scale(1);
    expect(kit.routes.length).toBe(1);
    expect(kit.rows.size).toBe(1);
    expect(kit.lines.entries.filter(({ line }) => line === "lifespan shutdown").length).toBe(2);
    await kit.pool.scale(0);
    expect(kit.routes).toEqual([]);
    expect(kit.pool.status.ready).toBe(false);
    await kit.pool.scale(1);
    expect(kit.routes.length).toBe(1);
  },
  options,
);

test(
  "the idlest instances leave first, whatever their age",
  async () => {
    await using kit = new Kit(app);
    await kit.pool.start();
    await kit.pool.scale(4);
    expect(kit.pool.counts).toEqual({ ready: 4, starting: 0 });
    const [first, second, third, fourth] = kit.routes;
    const busy = new Map([
      [first!.id, 0],
      [second!.id, 5],
      [third!.id, 1],
      [fourth!.id, 3],
    ]);
    for (const { id, row } of kit.routes) kit.rows.get(row)!.inFlight = busy.get(id)!;
    const fewer = kit.pool.scale(2);
    // They are drained: out of the count and the list at once, gone when their requests are.
    expect(kit.pool.counts).toEqual({ ready: 2, starting: 0 });
    await kit.published.until((routes) => routes.length === 2);
    expect(kit.routes.map(({ id }) => id).sort()).toEqual([second!.id, fourth!.id].sort());
    kit.rows.get(third!.row)!.inFlight = 0;
    await fewer;
    expect((await kit.pool.report()).length).toBe(2);
    for (const { row } of kit.routes) kit.rows.get(row)!.inFlight = 0;
  },
  options,
);

test(
  "a pool at zero knows its app, and a reload that cannot start is told there too",
  async () => {
    await using kit = new Kit(app);
    await kit.pool.start();
    await kit.pool.scale(0);
    expect(kit.pool.status).toMatchObject({ ready: false, interface: "asgi", wanted: 0 });
    await kit.pool.reload();
    expect(kit.pool.counts).toEqual({ ready: 0, starting: 0 });
    kit.write("app.py", "raise RuntimeError('broken')\n");
    expect(await kit.pool.reload().catch(({ code }) => code)).toBe("app_import_failed");
    expect(kit.pool.counts).toEqual({ ready: 0, starting: 0 });
  },
  options,
);

test(
  "recycling starts the replacement first; when that fails the old one stays",
  async () => {
    await using kit = new Kit(app);
    await kit.pool.start();
    const before = kit.routes[0]!;
    await kit.pool.recycle(before.id, "it grew");
    await kit.event("state", ({ instance, to }) => instance === before.id && to === "stopped");
    // At no time was the list empty.
    expect(kit.published.entries.every((routes) => routes.length > 0)).toBe(true);
    const current = kit.routes[0]!;
    expect(current.id).not.toBe(before.id);
    kit.write("app.py", "raise RuntimeError('no more')\n");
    await kit.pool.recycle(current.id, "once more");
    expect(await kit.event("recycle-failed")).toMatchObject({ instance: current.id });
    expect(kit.routes.map(({ id }) => id)).toEqual([current.id]);
  },
  options,
);

for (const preload of ["off", "auto"] as const) {
  test(
    `a stop during the start gives it up, whatever the import is at (preload ${preload})`,
    async () => {
      const source = "import os, time\nprint('importing', os.getpid(), flush=True)\ntime.sleep(600)\n";
      await using kit = new Kit(source, { preload });
      const started = kit.pool.start().then(
        () => undefined,
        (error: unknown) => error,
      );
      const { line } = await kit.lines.until((each) => each.line.startsWith("importing"));
      await kit.pool.stop({ drainMs: 600_000 });
      expect(await started).toMatchObject({ code: "start_cancelled" });
      await untilGone(Number(line.split(" ")[1]));
      expect(kit.count("start-failed")).toBe(0);
    },
    options,
  );
}

test(
  "a second, forced stop kills what does not end",
  async () => {
    await using kit = new Kit(app, { shutdownTimeoutMs: 60_000 });
    await kit.pool.start();
    const [part] = await kit.pool.report();
    kit.rows.get(part!.row)!.inFlight = 1;
    const stopped = kit.pool.stop({ drainMs: 600_000 });
    await kit.event("state", ({ to }) => to === "draining");
    kit.pool.kill();
    await stopped;
    await untilGone(part!.pid);
    expect(kit.rows.size).toBe(0);
  },
  options,
);

test(
  "stacks of a ready instance reach the log, and do not disturb it",
  async () => {
    await using kit = new Kit(app);
    await kit.pool.start();
    const { id, socket } = kit.routes[0]!;
    expect(kit.pool.stacks(id)).toBe(true);
    await kit.lines.until(({ line }) => line.includes("most recent call first"));
    const client = await DataClient.connect(socket);
    expect(await client.get("/")).toMatchObject({ status: 200 });
    client.close();
    expect(kit.pool.stacks("i-nobody")).toBe(false);
  },
  options,
);

test(
  "a stop in the middle of a recycle leaves nothing behind",
  async () => {
    await using kit = new Kit(app);
    await kit.pool.start();
    const { id } = kit.routes[0]!;
    kit.write("app.py", `print("again", flush=True)\n${app}`);
    const recycled = kit.pool.recycle(id, "once more");
    await kit.lines.until(({ line }) => line === "again");
    await Promise.all([kit.pool.stop({ drainMs: 1000 }), recycled]);
    expect(kit.rows.size).toBe(0);
    expect(await kit.pool.report()).toEqual([]);
    expect(kit.routes).toEqual([]);
  },
  options,
);
