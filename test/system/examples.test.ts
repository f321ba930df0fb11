/** Every folder of examples/ is served and answers as its README says. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LoadResult } from "../../src/load/result.ts";
import { ask, RawClient, values } from "./client.ts";
import { command, freePort, Headrace, PATIENCE_MS, PYTHON, ROOT, scratchFolder, soon } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const EXAMPLES = join(ROOT, "examples");
const json = (answer: { body: Buffer }) => JSON.parse(answer.body.toString());

/** A POST with a JSON body. */
function post(port: number, path: string, value: unknown) {
  const body = JSON.stringify(value);
  return ask(port, "POST", path, ["content-type: application/json", `content-length: ${body.length}`], body);
}

const matching = (text: string | RegExp | undefined) =>
  text instanceof RegExp ? expect.stringMatching(text) : text;

/** One story an example; a folder without one fails the last test. */
const stories: Record<string, () => Promise<void>> = {
  async hello() {
    await using headrace = await Headrace.start("examples/hello/main.py");
    expect((await ask(headrace.port, "GET", "/")).body.toString()).toBe("Hello, world!\n");
    expect((await ask(headrace.port, "GET", "/?name=Ada")).body.toString()).toBe("Hello, Ada!\n");
    expect((await post(headrace.port, "/", { name: "Bo" })).body.toString()).toBe("Hello, Bo!\n");
  },

  async fastapi() {
    await using headrace = await Headrace.start("examples/fastapi/main.py");
    const { port } = headrace;
    expect(json(await ask(port, "GET", "/items/1"))).toMatchObject({ name: "millstone" });
    expect((await ask(port, "GET", "/items/99")).status).toBe(404);
    expect((await post(port, "/items", { name: "", price: -1 })).status).toBe(422);
    const added = await post(port, "/items", { name: "sieve", price: 3 });
    expect([added.status, json(added)]).toEqual([201, { number: 2 }]);
    const catalogue = await ask(port, "GET", "/catalogue");
    expect(catalogue.body.length).toBeGreaterThan(9000);
    expect(json(catalogue).length).toBe(160);
    const ticks = await ask(port, "GET", "/ticks?count=3");
    expect(values(ticks, "content-type")[0]).toStartWith("text/event-stream");
    expect(ticks.body.toString()).toBe([0, 1, 2].map((n) => `event: tick\ndata: ${n}\n\n`).join(""));
    // By now the background task has had its turn: it runs on the same loop as the requests since.
    expect(json(await ask(port, "GET", "/journal"))).toEqual(["added 2: sieve"]);
  },

  async flask() {
    await using headrace = await Headrace.start("examples/flask/main.py", { args: ["--concurrency", "8"] });
    const { port } = headrace;
    const form = "entry=grind+the+corn";
    const head = ["content-type: application/x-www-form-urlencoded", `content-length: ${form.length}`];
    const signed = await ask(port, "POST", "/", head, form);
    expect([signed.status, values(signed, "location")]).toEqual([303, ["/"]]);
    expect((await ask(port, "GET", "/")).body.toString()).toContain("grind the corn");
    expect(json(await ask(port, "GET", "/hello/Ada"))).toEqual({ hello: "Ada" });
    const file = readFileSync(join(ROOT, "LICENSE"));
    const digest = await ask(port, "PUT", "/digest", [`content-length: ${file.length}`], file);
    expect(json(digest)).toEqual({
      size: file.length,
      sha256: createHash("sha256").update(file).digest("hex"),
    });
    expect((await ask(port, "GET", "/numbers/3")).body.toString()).toBe("0\n1\n2\n");
  },

  async django() {
    using folder = scratchFolder();
    const env = { NOTES_DB: join(folder.path, "notes.sqlite3") };
    const cwd = join(EXAMPLES, "django");
    const migrated = spawnSync(PYTHON, ["manage.py", "migrate", "-v0"], {
      cwd,
      env: { ...process.env, ...env },
    });
    expect(migrated.status).toBe(0);
    await using wsgi = await Headrace.start("website.wsgi:application", {
      cwd,
      env,
      args: ["--instances", "2"],
    });
    const written = await post(wsgi.port, "/notes/", { text: "by wsgi" });
    expect([written.status, json(written).text]).toEqual([201, "by wsgi"]);
    expect((await post(wsgi.port, "/notes/", ["wrong"])).status).toBe(400);
    await using asgi = await Headrace.start("website.asgi:application", { cwd, env });
    expect((await post(asgi.port, "/notes/", { text: "by asgi" })).status).toBe(201);
    const texts = json(await ask(wsgi.port, "GET", "/notes/")).notes.map(
      ({ text }: { text: string }) => text,
    );
    expect(texts).toEqual(["by wsgi", "by asgi"]);
    expect((await ask(asgi.port, "GET", "/")).body.toString()).toContain("<li>by wsgi</li>");
    expect((await ask(asgi.port, "GET", "/notes/77/")).status).toBe(404);
  },

  async shop() {
    const [port, adminPort] = [await freePort(), await freePort()];
    using notes = scratchFolder();
    const env = { PORT: String(port), ADMIN_PORT: String(adminPort), XDG_RUNTIME_DIR: notes.path };
    // To the letter, in their order: what is written there is what people type.
    const commands = [
      ...readFileSync(join(EXAMPLES, "shop/README.md"), "utf8").matchAll(/^ {4}(\.\/headrace|curl) (.*)$/gm),
    ].map(([, program, words]) => ({ program, args: words!.replaceAll("'", "").split(" ") }));
    const answers: Readonly<Record<string, string | RegExp>> = {
      "/api/items": '{"items":["millstone","paddle"],"currency":"EUR"}',
      "/thumbnails?of=mill": "thumbnail of mill",
      "/api/items/paddle/thumbnail": '{"item":"paddle","image":"thumbnail of paddle"}',
      "/about": "The shop's page /about\n",
      check: /3 services/,
      deploy: "api serves rev-2.\n",
      ps: /^api {2}rev-2 .*(\n.*)*^thumbnails {2}rev-1 .*(\n.*)*^site {2}rev-1 /m,
      logs: /is ready after/,
      down: "shop is down.\n",
    };
    const asked: string[] = [];
    let headrace: Headrace | undefined;
    try {
      for (const { program, args } of commands) {
        if (args[0] === "up") {
          expect(args.slice(0, 2)).toEqual(["up", "-f"]);
          headrace = await Headrace.up(args[2]!, { port, adminPort }, env);
          continue;
        }
        const url = program === "curl" ? new URL(args[0]!) : null;
        const what = url === null ? args[0]! : url.pathname + url.search;
        asked.push(what);
        if (url === null) {
          const { status, stdout, stderr } = await command(args, { env });
          expect([what, stdout, status, stderr]).toEqual([what, matching(answers[what]), 0, ""]);
        } else expect((await ask(port, "GET", what)).body.toString()).toEqual(matching(answers[what]));
        if (what !== "/about") continue;
        // More than the README shows.
        expect(json(await ask(port, "GET", "/api/openapi.json")).servers).toEqual([{ url: "/api" }]);
        const moved = await ask(port, "GET", "/shop/sale");
        expect([moved.status, values(moved, "location")]).toEqual([308, ["/sale"]]);
      }
      expect(asked.sort()).toEqual(Object.keys(answers).sort());
      expect(await soon("the exit", headrace!.exit)).toEqual({ status: 0, signal: null });
      await headrace!.nothingLeft();
      expect(headrace!.output.text).not.toContain('"level":"error"');
    } finally {
      await headrace?.stop();
    }
  },

  async websocket() {
    await using headrace = await Headrace.start("examples/websocket/main.py", { args: ["--instances", "1"] });
    const page = await ask(headrace.port, "GET", "/");
    expect(page.body.toString()).toStartWith("<!doctype html>");
    const url = `${headrace.url.replace("http", "ws")}/chat`;
    const heard: unknown[] = [];
    const ada = new WebSocket(`${url}?name=Ada`);
    const { promise: goodbye, resolve } = Promise.withResolvers<void>();
    ada.addEventListener("message", ({ data }) => {
      heard.push(JSON.parse(String(data)));
      if (heard.length === 4) resolve();
    });
    await soon("Ada", new Promise((open) => ada.addEventListener("open", open)));
    const bo = new WebSocket(`${url}?name=Bo`);
    await soon("Bo", new Promise((open) => bo.addEventListener("open", open)));
    bo.send("good morning");
    bo.close();
    await soon("all messages", goodbye);
    expect(heard).toEqual([
      { from: "room", text: "Ada came in" },
      { from: "room", text: "Bo came in" },
      { from: "Bo", text: "good morning" },
      { from: "room", text: "Bo left" },
    ]);
    ada.close();
    using nameless = await RawClient.open(headrace.port);
    const key = ["upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"];
    const denied = await nameless
      .request("GET", "/chat", [...key, "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="])
      .answer();
    expect(denied.status).toBe(400);
  },

  async streaming() {
    await using headrace = await Headrace.start("examples/streaming/main.py");
    const { port } = headrace;
    const body = new Uint8Array(2_000_000).fill(7);
    const upload = await ask(port, "PUT", "/upload", [`content-length: ${body.length}`], body);
    expect(json(upload)).toEqual({
      size: body.length,
      sha256: createHash("sha256").update(body).digest("hex"),
    });
    const download = await ask(port, "GET", "/download?mib=5");
    expect(download.body.length).toBe(5 << 20);
    const events = await ask(port, "GET", "/events?count=3");
    expect(events.body.toString()).toBe("data: 0\n\ndata: 1\n\ndata: 2\n\n");
    const file = await ask(port, "GET", "/file");
    expect(file.body.equals(readFileSync(join(EXAMPLES, "streaming/main.py")))).toBe(true);
  },

  async load() {
    await using headrace = await Headrace.start("examples/fastapi/main.py", { args: ["--instances", "1"] });
    for (const [file, ...flags] of [
      ["scenario.py", "--users", "10"],
      ["scenario.py", "--rate", "50"],
      ["locustfile.py", "--users", "10"],
    ]) {
      const args = [`examples/load/${file}`, ...flags, "--host", `http://127.0.0.1:${headrace.port}`];
      const { stdout, stderr } = await command([
        "load",
        ...args,
        ...["--python", PYTHON, "--duration", "3s", "--json", "-", "--admin", "off"],
      ]);
      if (!stdout.startsWith("{")) throw new Error(stdout + stderr);
      const result = JSON.parse(stdout) as LoadResult;
      expect([file, result.failures, result.checks.map(({ failed }) => failed)]).toEqual([
        file,
        {},
        file === "scenario.py" ? [0] : [],
      ]);
      expect(result.requests.map(({ name }) => name)).toContain("GET /items/1");
    }
  },
};

for (const [name, story] of Object.entries(stories)) test(`examples/${name}`, story);

test("every example has a story and a README", () => {
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(stories).sort());
  for (const { name } of folders)
    expect(readFileSync(join(EXAMPLES, name, "README.md"), "utf8")).toMatch(/headrace (run|up)/);
});
