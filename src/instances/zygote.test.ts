import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataClient } from "./testdata.ts";
import { asgiApp, Kit, options, python, untilGone } from "./testkit.ts";

const wsgiApp = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'hi']\n";

// Forks are for Linux; elsewhere the pool says so and spawns (preload.ts).
describe.skipIf(process.platform !== "linux")("a zygote", () => {
  test(
    "imports the app once for all instances",
    async () => {
      await using kit = new Kit(`print("imported", flush=True)\n${asgiApp}`, {
        instances: 3,
        preload: "auto",
      });
      await kit.pool.start();
      expect(kit.pool.status.preload).toEqual({ level: "app", reasons: [] });
      const report = await kit.pool.report();
      expect(report.map(({ origin }) => origin)).toEqual(["fork", "fork", "fork"]);
      expect(kit.lines.entries.filter(({ line }) => line === "imported").length).toBe(1);
      for (const { socket } of kit.routes) {
        const client = await DataClient.connect(socket);
        expect(await client.get("/started")).toMatchObject({ body: "1" });
        client.close();
      }
    },
    options,
  );

  test(
    "shows the traceback of an app that cannot be imported",
    async () => {
      await using kit = new Kit("import missing_module\n", { preload: "auto" });
      const error = await kit.pool.start().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(error).toMatchObject({ code: "app_import_failed" });
      expect((error as { detail: string }).detail).toContain("import missing_module");
    },
    options,
  );

  const background =
    "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n";
  const listening = "import socket\nkeep = socket.socket()\nkeep.bind(('127.0.0.1', 0))\nkeep.listen()\n";
  const looping = "import asyncio\nkeep = asyncio.new_event_loop()\n";
  const causes = [
    ["a thread", background, "the Python thread"],
    ["a socket", listening, "a socket is open"],
    ["an event loop", looping, "the event loop"],
  ] as const;
  for (const [what, source, detail] of causes) {
    test(
      `is not made from an app whose import leaves ${what}: auto falls to imports and names the module`,
      async () => {
        const files = { "reporter.py": source };
        await using kit = new Kit(
          `import reporter\n${asgiApp}`,
          { preload: "auto", instances: 2 },
          { files },
        );
        await kit.pool.start();
        const { level, reasons } = kit.pool.status.preload;
        expect(level).toBe("imports");
        expect(reasons.join()).toContain("reporter: ");
        expect(reasons.join()).toContain(detail);
        const client = await DataClient.connect(kit.routes[0]!.socket);
        expect(await client.get("/")).toMatchObject({ status: 200 });
        client.close();
      },
      options,
    );
  }

  test(
    "leaves out an installed package that starts threads, and still shares the others",
    async () => {
      const home = mkdtempSync(join(tmpdir(), "hr-packages-"));
      const packages = join(home, "site-packages");
      mkdirSync(packages);
      writeFileSync(join(packages, "tracer.py"), background);
      writeFileSync(join(packages, "plain.py"), "import os\nmade_in = os.getpid()\n");
      const source = asgiApp.replace("str(os.getpid())", "str(plain.made_in != os.getpid())");
      await using kit = new Kit(`import tracer, plain\n${source}`, {
        preload: "auto",
        env: { ...process.env, PYTHONPATH: packages },
      });
      await kit.pool.start();
      rmSync(home, { recursive: true });
      const { level, reasons } = kit.pool.status.preload;
      expect(level).toBe("imports");
      const client = await DataClient.connect(kit.routes[0]!.socket);
      expect(await client.get("/")).toMatchObject({ body: "True" });
      client.close();
      expect(reasons.join()).toContain("tracer: the Python thread");
    },
    options,
  );

  const hasGevent = Bun.spawnSync([python, "-c", "import gevent"]).success;
  for (const keepImports of [false, true]) {
    test.skipIf(!hasGevent)(
      `is not made for an app that patches the standard library (imports kept: ${keepImports})`,
      async () => {
        const source = `from gevent import monkey\nmonkey.patch_all()\n${wsgiApp}`;
        await using kit = new Kit(source, { preload: "auto", keepImports });
        await kit.pool.start();
        const { level, reasons } = kit.pool.status.preload;
        expect(level).toBe("off");
        expect(reasons.join()).toContain("gevent.monkey: ");
      },
      options,
    );
  }

  test.skipIf(!hasGevent)(
    "is not made where gevent runs the app",
    async () => {
      await using kit = new Kit(wsgiApp, { preload: "auto", workerClass: "gevent" });
      await kit.pool.start();
      expect(kit.pool.status.preload.level).toBe("off");
      expect(kit.pool.status.preload.reasons.join()).toContain("gevent");
    },
    options,
  );

  test(
    "is kept, with a warning, where the user asked for the app to be preloaded",
    async () => {
      const files = { "net.py": listening };
      await using kit = new Kit(`import net\n${asgiApp}`, { preload: "app" }, { files });
      await kit.pool.start();
      expect(kit.pool.status.preload.level).toBe("app");
      expect(kit.pool.status.preload.reasons.join()).toContain("net: a socket is open");
    },
    options,
  );

  test(
    "that is killed takes its instances along, and a new one is made for their replacements",
    async () => {
      const pids = "import os\nprint('zygote', os.getpid(), flush=True)\n";
      await using kit = new Kit(pids + asgiApp, { preload: "app", instances: 2 });
      await kit.pool.start();
      const before = await kit.pool.report();
      const { line } = await kit.lines.until((each) => each.line.startsWith("zygote "));
      process.kill(Number(line.split(" ")[1]), "SIGKILL");
      for (const { pid } of before) await untilGone(pid);
      await kit.event("zygote-exited");
      const old = before.map(({ id }) => id);
      await kit.published.until(
        (routes) => routes.length === 2 && routes.every(({ id }) => !old.includes(id)),
      );
      expect(kit.lines.entries.filter((each) => each.line.startsWith("zygote ")).length).toBe(2);
    },
    options,
  );

  test(
    "takes many instances along as one crash, named as the cause of each end, and no loop is told",
    async () => {
      const pids = "import os\nprint('zygote', os.getpid(), flush=True)\n";
      await using kit = new Kit(pids + asgiApp, { preload: "app", instances: 7 });
      await kit.pool.start();
      // Twice: then no seat's crash is its first.
      for (const nth of [1, 2]) {
        const old = kit.routes.map(({ id }) => id);
        const said = () => kit.lines.entries.filter(({ line }) => line.startsWith("zygote "));
        process.kill(Number(said().at(-1)!.line.split(" ")[1]), "SIGKILL");
        await kit.published.until(
          (routes) => routes.length === 7 && routes.every(({ id }) => !old.includes(id)),
        );
        const { zygote } = await kit.event("zygote-exited", ({ instances }) => {
          return instances === 7 && kit.count("zygote-exited") === nth;
        });
        for (const id of old) {
          const { exit } = await kit.event("crashed", ({ instance }) => instance === id);
          if (nth === 1) expect(exit.zygote).toBe(zygote);
        }
      }
      expect(kit.count("restart")).toBe(14);
      expect(kit.count("crash-loop")).toBe(0);
      expect(kit.pool.status.crashLooping).toBe(false);
      const told = kit.events.entries.map(({ kind }) => kind);
      expect(told.indexOf("zygote-exited")).toBeLessThan(told.indexOf("restart"));
    },
    options,
  );

  test(
    "gives each instance its own randomness, hooks, exit handlers, group and garbage collection",
    async () => {
      const source = `
import atexit, gc, os, random, signal
import headrace
made_in = os.getpid()
atexit.register(lambda: print("atexit", os.getpid() != made_in, flush=True))
headrace.before_fork(lambda: print("before", os.getpid() == made_in, flush=True))
headrace.after_fork(lambda: print("after", os.getpid() != made_in, flush=True))
${asgiApp.replace(
  "str(os.getpid()).encode()",
  'f"{random.random()} {gc.isenabled()} {os.getpgid(0) == os.getpid()} {signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL}".encode()',
)}`;
      await using kit = new Kit(source, { preload: "app", instances: 2 });
      await kit.pool.start();
      const bodies: string[] = [];
      for (const { socket } of kit.routes) {
        const client = await DataClient.connect(socket);
        bodies.push((await client.get("/")).body);
        client.close();
      }
      expect(bodies.map((body) => body.split(" ").slice(1).join(" "))).toEqual([
        "True True True",
        "True True True",
      ]);
      expect(bodies[0]).not.toBe(bodies[1]);
      await kit.pool.stop({ drainMs: 1000 });
      const said = kit.lines.entries.map(({ line }) => line);
      expect(said.filter((line) => line === "before True").length).toBe(2);
      expect(said.filter((line) => line === "after True").length).toBe(2);
      expect(said.filter((line) => line.startsWith("atexit"))).toEqual(["atexit True", "atexit True"]);
    },
    options,
  );

  test(
    "reports a hook that fails as a failed start",
    async () => {
      const source = `import headrace\n@headrace.after_fork\ndef connect():\n    raise OSError("no database")\n${asgiApp}`;
      await using kit = new Kit(source, { preload: "app" });
      const error = await kit.pool.start().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(error).toMatchObject({ code: "hook_failed" });
      expect((error as { detail: string }).detail).toContain("no database");
    },
    options,
  );

  test(
    "reports a hook that fails before the fork as what it is",
    async () => {
      const source = `import headrace\n@headrace.before_fork\ndef close_pool():\n    raise OSError("still busy")\n${asgiApp}`;
      await using kit = new Kit(source, { preload: "app" });
      const error = await kit.pool.start().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(error).toMatchObject({ code: "hook_failed", exit: 3, hint: "" });
      expect((error as Error).message).toContain("close_pool failed: OSError: still busy");
      expect((error as { detail: string }).detail).toContain("in close_pool");
    },
    options,
  );

  test(
    "reports how a forked instance died",
    async () => {
      await using kit = new Kit(asgiApp, { preload: "app", instances: 2 });
      await kit.pool.start();
      const [victim] = await kit.pool.report();
      process.kill(victim!.pid, "SIGSEGV");
      expect(await kit.event("crashed")).toMatchObject({ instance: victim!.id, exit: { signal: "SIGSEGV" } });
      await kit.published.until(
        (routes) => routes.length === 2 && routes.every(({ id }) => id !== victim!.id),
      );
      expect((await kit.pool.report()).every(({ origin }) => origin === "fork")).toBe(true);
    },
    options,
  );

  test(
    "starts instances in less time than spawning takes",
    async () => {
      const source = `import asyncio, decimal, email, http.client, json, sqlite3, xml.dom.minidom\n${asgiApp}`;
      const startMs = async (preload: "app" | "off") => {
        await using kit = new Kit(source, { preload });
        await kit.pool.start();
        const times: number[] = [];
        for (let round = 0; round < 3; round++) {
          await kit.pool.recycle(kit.routes[0]!.id, "measured");
          times.push(kit.events.entries.findLast((event) => event.kind === "ready")!.startMs);
        }
        return Math.min(...times);
      };
      const spawned = await startMs("off");
      const forked = await startMs("app");
      expect(forked).toBeLessThan(spawned);
    },
    options,
  );
});
