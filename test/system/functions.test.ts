/** Functions written for functions-framework, with that package and without it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ask, values } from "./client.ts";
import { APPS, eventually, Headrace, linesOf, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const folder = scratchFolder();
const bare = join(folder.path, "bare");
const source = (name: string) => join(APPS, "functions", name);
const json = (value: unknown): [string[], string] => {
  const body = JSON.stringify(value);
  return [["content-type: application/json", `content-length: ${body.length}`], body];
};

const EVENT = {
  specversion: "1.0",
  id: "e-1",
  source: "//story",
  type: "story.told",
  time: "2026-01-01T00:00:00Z",
};

beforeAll(() => {
  // An interpreter with nothing in it but the standard library.
  expect(spawnSync(PYTHON, ["-m", "venv", "--without-pip", bare]).status).toBe(0);
  expect(spawnSync(join(bare, "bin/python"), ["-c", "import functions_framework"]).status).toBe(1);
});
afterAll(() => folder[Symbol.dispose]());

const interpreters: [string, () => string][] = [
  ["functions_framework installed", () => PYTHON],
  ["nothing installed", () => join(bare, "bin/python")],
];

describe.each(interpreters)("with %s", (_, interpreter) => {
  const start = (name: string, args: string[] = [], env: Record<string, string> = {}) =>
    Headrace.start(source(name), { args: ["--gateways", "1", ...args], env, python: interpreter() });

  test("http", async () => {
    await using headrace = await start("http_function.py");
    expect((await ask(headrace.port, "GET", "/?name=Ada")).body.toString()).toBe("hello Ada");
    const posted = await ask(headrace.port, "POST", "/any/path", ...json({ corn: [1, 2] }));
    expect([posted.status, values(posted, "x-function")]).toEqual([201, ["answer"]]);
    expect(JSON.parse(posted.body.toString())).toEqual({ corn: [1, 2] });
  });

  test("a function without a decorator, by --target and by FUNCTION_TARGET", async () => {
    for (const [args, env] of [
      [["--target", "handler"], {}],
      [[], { FUNCTION_TARGET: "handler" }],
    ] as [string[], Record<string, string>][]) {
      await using headrace = await start("plain_function.py", args, env);
      const answer = await ask(headrace.port, "DELETE", "/some/path?x=1");
      expect(JSON.parse(answer.body.toString())).toEqual({ path: "/some/path", method: "DELETE" });
    }
  });

  test("aio", async () => {
    await using headrace = await start("aio_function.py");
    const answer = await ask(headrace.port, "PUT", "/", ["content-length: 5"], "grain");
    expect(JSON.parse(answer.body.toString())).toEqual({ method: "PUT", size: 5 });
  });

  test("typed", async () => {
    await using headrace = await start("typed_function.py");
    const answer = await ask(headrace.port, "POST", "/", ...json({ corn: 21 }));
    expect(JSON.parse(answer.body.toString())).toEqual({ corn: 42 });
  });

  test("cloud_event, structured and binary", async () => {
    const log = join(folder.path, `cloud-${interpreter() === PYTHON}`);
    await using headrace = await start("cloud_event_function.py", [], { FUNCTION_LOG: log });
    const structured = JSON.stringify({ ...EVENT, data: { corn: 1 } });
    const head = ["content-type: application/cloudevents+json", `content-length: ${structured.length}`];
    expect((await ask(headrace.port, "POST", "/", head, structured)).status).toBeLessThan(300);
    const [plain, body] = json({ corn: 2 });
    const binary = Object.entries(EVENT).map(
      ([name, value]) => `ce-${name}: ${name === "id" ? "e-2" : value}`,
    );
    expect((await ask(headrace.port, "POST", "/", [...plain, ...binary], body)).status).toBeLessThan(300);
    expect(linesOf(log)).toEqual(["story.told e-1 {'corn': 1}", "story.told e-2 {'corn': 2}"]);
  });

  test("a legacy background function, from a legacy event and from a CloudEvent", async () => {
    const log = join(folder.path, `legacy-${interpreter() === PYTHON}`);
    await using headrace = await start(
      "background_function.py",
      ["--target", "take", "--signature-type", "event"],
      {
        FUNCTION_LOG: log,
      },
    );
    const legacy = {
      context: {
        eventId: "l-1",
        timestamp: EVENT.time,
        eventType: "google.pubsub.topic.publish",
        resource: "topic",
      },
      data: { data: "aGk=" },
    };
    expect((await ask(headrace.port, "POST", "/", ...json(legacy))).status).toBeLessThan(300);
    const [plain, body] = json({ message: { data: "aGk=", messageId: "c-1" } });
    const binary = [
      "ce-specversion: 1.0",
      "ce-id: c-1",
      "ce-source: //pubsub.googleapis.com/projects/p/topics/t",
      "ce-type: google.cloud.pubsub.topic.v1.messagePublished",
      `ce-time: ${EVENT.time}`,
    ];
    expect((await ask(headrace.port, "POST", "/", [...plain, ...binary], body)).status).toBeLessThan(300);
    await eventually("both calls", () => (linesOf(log).length === 2 ? true : undefined));
    const calls = linesOf(log).map((line) => JSON.parse(line));
    expect(calls.map(({ id, type }) => [id, type])).toEqual([
      ["l-1", "google.pubsub.topic.publish"],
      ["c-1", "google.pubsub.topic.publish"],
    ]);
  });
});
