/** Starting, stopping, reloading. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { ask, RawClient, values } from "./client.ts";
import {
  APPS,
  command,
  eventually,
  freePort,
  Headrace,
  linesOf,
  PATIENCE_MS,
  PYTHON,
  ROOT,
  scratchFolder,
  soon,
} from "./harness.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 3);

const APP = join(APPS, "raw_asgi.py");

describe("SIGTERM", () => {
  test("lets requests in flight finish, runs lifespan shutdown, ends with 0", async () => {
    using stage = await Stage.open();
    using folder = scratchFolder();
    const shutdownLog = join(folder.path, "shutdown");
    const headrace = await Headrace.start(APP, {
      args: ["--instances", "2", "--gateways", "2"],
      env: { ...stage.env, SHUTDOWN_LOG: shutdownLog },
    });
    const running = ["a", "b", "c"].map((key) => ask(headrace.port, "GET", `/stage?key=${key}`));
    for (const key of ["a", "b", "c"]) await stage.begun(key);
    headrace.signal("SIGTERM");
    await eventually("the port to close", async () => {
      const open = await RawClient.open(headrace.port).catch(() => undefined);
      open?.close();
      return open === undefined ? true : undefined;
    });
    stage.release();
    for (const answer of await Promise.all(running)) expect(answer.status).toBe(200);
    expect(await headrace.stop()).toEqual({ status: 0, signal: null });
    expect(linesOf(shutdownLog).length).toBe(2);
  });

  test("under load loses no request that was taken", async () => {
    const headrace = await Headrace.start(APP, { args: ["--gateways", "2"] });
    let answered = 0;
    let stopping = false;
    const clients = Array.from({ length: 16 }, async () => {
      const problems: string[] = [];
      for (;;) {
        using client = await RawClient.open(headrace.port).catch(() => undefined as unknown as RawClient);
        if (client === undefined) return problems;
        for (;;) {
          if (client.ended) break;
          const answer = await client
            .request("GET", "/hello")
            .answer()
            .catch(() => undefined);
          if (answer === undefined) {
            // A keep-alive connection that is closed while idle is no loss; before the stop there is no reason for it.
            if (!stopping) problems.push("cut before the stop");
            break;
          }
          answered += 1;
          if (answer.status !== 200 && !(stopping && answer.status === 503))
            problems.push(String(answer.status));
          if (values(answer, "connection").includes("close")) break;
        }
      }
    });
    await eventually("some answers", () => (answered > 300 ? true : undefined));
    stopping = true;
    expect((await headrace.stop()).status).toBe(0);
    expect((await Promise.all(clients)).flat()).toEqual([]);
  });

  test("closes WebSockets with 1012 when the drain time is over", async () => {
    const headrace = await Headrace.start(APP, { args: ["--drain-timeout", "300ms"] });
    const socket = new WebSocket(`${headrace.url.replace("http", "ws")}/ws`);
    await soon("the WebSocket", new Promise((resolve) => socket.addEventListener("open", resolve)));
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
    const exit = headrace.stop();
    expect((await soon("the close", closed)).code).toBe(1012);
    expect((await exit).status).toBe(0);
  });

  test("tells streams, which may then end themselves", async () => {
    using stage = await Stage.open();
    const headrace = await Headrace.start(APP, { args: ["--drain-timeout", "300ms"], env: stage.env });
    const stream = ask(headrace.port, "GET", "/stage?key=s&answer_first").catch((error: unknown) => error);
    const call = await stage.begun("s");
    headrace.signal("SIGTERM");
    await stage.waitFor("the disconnect", () => (call.said.includes("disconnected") ? true : undefined));
    stage.release();
    expect((await headrace.stop()).status).toBe(0);
    await stream;
  });

  test("a second one forces the end", async () => {
    using stage = await Stage.open();
    const headrace = await Headrace.start(APP, { env: stage.env });
    const cut = ask(headrace.port, "GET", "/stage?key=held").catch((error: unknown) => error);
    await stage.begun("held");
    headrace.signal("SIGTERM");
    await headrace.output.waitFor("platform.stopping");
    // What comes at once counts as the same request, so it is said until it is heard.
    await eventually("the force", () => {
      if (headrace.output.text.includes("cli.forced")) return true;
      // It may be gone before it is looked at again: then nobody is there to be told.
      headrace.signal("SIGTERM");
      return undefined;
    });
    expect((await headrace.stop()).status).toBe(1);
    expect(stage.calls.map(({ said }) => said)).not.toContainEqual(["go"]);
    await cut;
  });
});

describe("a start that fails", () => {
  /** Runs a file with this source and gives back how it ended. */
  async function failing(source: string, args: readonly string[] = []) {
    using folder = scratchFolder();
    writeFileSync(join(folder.path, "broken.py"), source);
    const flags = ["--port", String(await freePort()), "--admin-port", "0", "--python", PYTHON];
    return await command(["run", join(folder.path, "broken.py"), ...flags, ...args]);
  }

  test("shows the traceback of an import error and ends with 3", async () => {
    const ended = await failing("import does_not_exist_anywhere\n");
    expect(ended.status).toBe(3);
    expect(ended.stderr).toContain("Traceback (most recent call last)");
    expect(ended.stderr).toContain("No module named 'does_not_exist_anywhere'");
    expect(ended.stderr).toContain("broken.py");
  });

  test("shows what lifespan startup said", async () => {
    const ended = await failing(
      [
        "async def app(scope, receive, send):",
        "    await receive()",
        "    await send({'type': 'lifespan.startup.failed', 'message': 'the mill is dry'})",
      ].join("\n"),
    );
    expect(ended.status).toBe(3);
    expect(ended.stderr).toContain("the mill is dry");
  });

  test("an app that ends its process while it is imported", async () => {
    expect((await failing("import os\nos._exit(5)\n")).status).toBe(3);
  });

  test("an app that is not ready in time", async () => {
    const ended = await failing("import threading\nthreading.Event().wait()\n", [
      "--startup-timeout",
      "500ms",
    ]);
    expect(ended.status).toBe(3);
  });
});

describe("what cannot be right ends with 2 and one sentence", () => {
  const usage = (...args: string[]) => command(["run", ...args, "--admin-port", "0", "--python", PYTHON]);

  test.each([
    ["an unknown flag", ["run", APP, "--concurency", "3"], "--concurrency"],
    ["a value that is no number", ["run", APP, "--port", "eighty"], "--port"],
    ["a value out of range", ["run", APP, "--concurrency", "0"], "--concurrency"],
    ["no app", ["run"], "app"],
    ["a file that does not exist", ["run", "no/such/file.py"], "no/such/file.py"],
    ["an interpreter that does not exist", ["run", APP, "--python", "/no/such/python"], "/no/such/python"],
    ["a key without its certificate", ["run", APP, "--tls-key", "/no/key.pem"], "--tls-cert"],
    ["an unknown command", ["rum", APP], "rum"],
  ])("%s", async (_, args, named) => {
    const ended = await command(args);
    expect(ended.stderr).toContain(named);
    expect(ended.stderr.trim().split("\n").length).toBeLessThanOrEqual(4);
    expect(ended.status).toBe(2);
  });

  test("a port that is in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1" }, resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const ended = await usage(APP, "--port", String(port));
    server.close();
    expect(ended.stderr).toContain(String(port));
    expect(ended.status).toBe(2);
  });

  test("an attribute that the module does not have", async () => {
    const ended = await usage(`${APP}:nothing_like_it`, "--port", String(await freePort()));
    expect(ended.stderr).toContain("nothing_like_it");
    expect([2, 3]).toContain(ended.status ?? -1);
  });
});

describe("the app is found", () => {
  test.each([
    ["module:attr", "raw_asgi:app", []],
    ["a module alone", "raw_asgi", []],
    ["file.py:attr", "raw_asgi.py:app", []],
    ["a factory", "factory:make", ["--factory"]],
  ])("as %s", async (_, app, args) => {
    using folder = scratchFolder();
    writeFileSync(join(folder.path, "raw_asgi.py"), await Bun.file(APP).text());
    writeFileSync(join(folder.path, "stage.py"), await Bun.file(join(APPS, "stage.py")).text());
    writeFileSync(join(folder.path, "factory.py"), "import raw_asgi\ndef make():\n    return raw_asgi.app\n");
    await using headrace = await Headrace.start(app, { args, cwd: folder.path });
    expect((await ask(headrace.port, "GET", "/hello")).body.toString()).toBe("Hello, world!");
  });

  test("with the .venv beside the app", async () => {
    await using headrace = await Headrace.start(join(ROOT, "examples/streaming/main.py"), { python: "" });
    expect((await ask(headrace.port, "GET", "/file")).status).toBe(200);
  });
});

describe("--reload", () => {
  const source = (answer: string) =>
    [
      "async def app(scope, receive, send):",
      "    if scope['type'] == 'lifespan':",
      "        while True:",
      "            kind = (await receive())['type']",
      "            await send({'type': f'{kind}.complete'})",
      "            if kind == 'lifespan.shutdown': return",
      "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})",
      `    await send({'type': 'http.response.body', 'body': b'${answer}'})`,
    ].join("\n");

  test("takes new code in, loses no request, and keeps the old code when the new is broken", async () => {
    using folder = scratchFolder();
    mkdirSync(join(folder.path, "app"));
    const file = join(folder.path, "app", "main.py");
    writeFileSync(file, source("one"));
    await using headrace = await Headrace.start(file, {
      args: ["--reload", "--gateways", "2", "--access-log", "off"],
      cwd: join(folder.path, "app"),
    });
    const seen: string[] = [];
    let running = true;
    const client = async () => {
      using connection = await RawClient.open(headrace.port);
      while (running) {
        const answer = await connection.request("GET", "/").answer();
        seen.push(answer.status === 200 ? answer.body.toString() : String(answer.status));
      }
    };
    const clients = Promise.all(Array.from({ length: 8 }, client));
    const shows = (text: string) =>
      eventually(`the answer ${text}`, () => (seen.at(-1) === text ? true : undefined));
    const edits = async () => {
      await shows("one");
      writeFileSync(file, source("two"));
      await shows("two");
      writeFileSync(file, "def broken(:\n");
      await headrace.output.waitFor("SyntaxError");
      const sofar = seen.length;
      await eventually("more answers", () => (seen.length > sofar + 50 ? true : undefined));
      writeFileSync(file, source("three"));
      await shows("three");
    };
    const failed = async (error: unknown) => {
      const { instances, gateways } = await headrace.status();
      const state = JSON.stringify({ answers: seen.length, instances, gateways });
      throw new Error(`${error}; ${state}; the output was:\n${headrace.output.text}`);
    };
    await Promise.race([edits(), clients])
      .catch(failed)
      .finally(() => {
        running = false;
      });
    await clients;
    expect([...new Set(seen)].sort()).toEqual(["one", "three", "two"]);
  });
});
