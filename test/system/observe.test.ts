/** ps, metrics, access log, and the app's own lines. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { ask } from "./client.ts";
import { APPS, command, eventually, Headrace, PATIENCE_MS, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const folder = scratchFolder();
/** Where running Headraces leave their note for ps; one of our own, so that nobody else's is seen. */
const env = { XDG_RUNTIME_DIR: folder.path };
let headrace: Headrace;

beforeAll(async () => {
  headrace = await Headrace.start(join(APPS, "raw_asgi.py"), {
    args: ["--instances", "2", "--service", "mill", "--access-log", "json", "--log-format", "json"],
    env,
  });
});
afterAll(async () => {
  await headrace.stop();
  folder[Symbol.dispose]();
});

type Line = Readonly<Record<string, unknown>>;

function jsonLines(): Line[] {
  return headrace.output
    .lines()
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);
}

/** Waits for a JSON line one of whose values holds the text. */
function lineWith(text: string): Promise<Line> {
  return eventually(`a log line with ${text}`, () =>
    jsonLines().find((line) => Object.values(line).some((value) => String(value).includes(text))),
  );
}

test("ps shows each instance to people", async () => {
  const shown = await command(["ps"], { env });
  expect(shown.status).toBe(0);
  const status = await headrace.status();
  for (const { pid, state } of status.instances) {
    expect(shown.stdout).toContain(String(pid));
    expect(shown.stdout).toContain(state);
  }
  for (const column of ["STATE", "AGE", "MEMORY", "CPU", "SERVED"])
    expect(shown.stdout.toUpperCase()).toContain(column);
});

test("ps --json shows it to programs", async () => {
  for (let n = 0; n < 20; n += 1) await ask(headrace.port, "GET", "/hello");
  const shown = await command(["ps", "--json"], { env });
  const text = JSON.parse(shown.stdout);
  expect(text.length).toBe(1);
  const report = text[0];
  expect(report.service).toBe("mill");
  expect(report.instances.length).toBe(2);
  for (const instance of report.instances) {
    expect(instance).toMatchObject({ state: "ready", slots: 80, inFlight: 0, service: "mill" });
    expect(instance.memoryBytes).toBeGreaterThan(1 << 20);
    expect(instance.pid).toBeGreaterThan(1);
  }
});

test("ps without anything running says so", async () => {
  using empty = scratchFolder();
  const shown = await command(["ps"], { env: { XDG_RUNTIME_DIR: empty.path } });
  expect(shown.stdout.trim().split("\n").length).toBe(1);
  expect(
    JSON.parse((await command(["ps", "--json"], { env: { XDG_RUNTIME_DIR: empty.path } })).stdout),
  ).toEqual([]);
});

test("metrics count requests and tell queue time from service time", async () => {
  await ask(headrace.port, "GET", "/hello");
  const text = await eventually("the request to be counted", async () => {
    const metrics = await headrace.metrics();
    return /^headrace_requests_total\{[^}]*\} [1-9]/m.test(metrics) ? metrics : undefined;
  });
  const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => `${name} ${kind}`);
  expect(new Set(families).size).toBe(families.length);
  for (const wanted of [
    /request.*seconds histogram/,
    /queue.*seconds histogram/,
    /in_flight gauge|active.* gauge/,
    /line.* gauge/,
    /refus.* counter/,
    /instances gauge/,
    /memory.*bytes gauge/,
  ])
    expect(families.some((family) => wanted.test(family)) ? "" : `${wanted} in ${families}`).toBe("");
  for (const line of text.split("\n"))
    expect(line).toMatch(/^$|^# (HELP|TYPE|EOF|UNIT)|^[a-z_:]+(\{.*\})? [-+.\deInfNa]+$/);
});

test("healthz and readyz", async () => {
  expect((await fetch(`${headrace.adminUrl}/healthz`)).status).toBe(200);
  expect((await fetch(`${headrace.adminUrl}/readyz`)).status).toBe(200);
});

test("the access log has one JSON line a request", async () => {
  const answer = await ask(headrace.port, "GET", "/hello?access=story", ["user-agent: story/1"]);
  expect(answer.status).toBe(200);
  const line = JSON.stringify(await lineWith("access=story"));
  for (const part of ["GET", "200", "127.0.0.1"]) expect(line).toContain(part);
  expect(jsonLines().filter((each) => JSON.stringify(each).includes("access=story")).length).toBe(1);
});

test("what the app prints carries the id of its request", async () => {
  const id = "story-request-0001";
  await ask(headrace.port, "GET", "/prints?key=printer", [`x-request-id: ${id}`]);
  for (const text of ["printed by printer", "complained by printer"]) {
    const line = await lineWith(text);
    expect(JSON.stringify(line)).toContain(id);
    expect(JSON.stringify(line)).toContain("mill");
  }
});

test("the app, and a client that is refused, know the request id; the trace goes on", async () => {
  const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const answer = await ask(headrace.port, "GET", "/echo", [`traceparent: ${trace}`]);
  const headers = (JSON.parse(answer.body.toString()) as { headers: [string, string][] }).headers;
  const parent = headers.find(([name]) => name === "traceparent")?.[1] ?? "";
  expect(parent).toContain("4bf92f3577b34da6a3ce929d0e0e4736");
  const id = headers.find(([name]) => name === "x-request-id")?.[1] ?? "";
  expect(id.length).toBeGreaterThan(8);
});

test("a request id that the client gives is the app's too, and comes back", async () => {
  const answer = await ask(headrace.port, "GET", "/echo", ["x-request-id: order-17"]);
  const headers = (JSON.parse(answer.body.toString()) as { headers: [string, string][] }).headers;
  expect(headers.filter(([name]) => name === "x-request-id")).toEqual([["x-request-id", "order-17"]]);
  expect(answer.headers).toContainEqual(["x-request-id", "order-17"]);
});
