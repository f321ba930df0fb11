/** `headrace load` with scenarios in Python and Locust files: the same report, thresholds and exit codes as for a URL. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LoadResult } from "../../src/load/result.ts";
import { command, eventually, PATIENCE_MS, PYTHON, ROOT, scratchFolder, soon } from "./harness.ts";
import { Target } from "./target.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const folder = scratchFolder();
afterAll(() => folder[Symbol.dispose]());

function write(name: string, source: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, source);
  return path;
}

async function load(...args: readonly string[]) {
  const all = ["load", "--python", PYTHON, "--json", "-", "--admin", "off", ...args];
  const { status, stdout, stderr } = await command(all);
  if (!stdout.startsWith("{")) throw new Error(`no result (exit ${status}):\n${stdout}${stderr}`);
  return { status, result: JSON.parse(stdout) as LoadResult, stderr };
}

const VISITOR = `
from headrace.load import User, constant, task

class Visitor(User):
    wait_time = constant(0.01)

    @task
    async def good(self):
        answer = await self.client.get("/ok", name="good")
        self.check("says ok", answer.text == "ok")

    @task
    async def bad(self):
        await self.client.get("/status/503", name="bad")
`;

test("users in a closed loop: requests by name, checks, a condition that is met", async () => {
  using target = new Target();
  const file = write("visitor.py", VISITOR);
  const args = ["--host", target.url, "--users", "6", "--duration", "1s", "--processes", "2"];
  const { status, result, stderr } = await load(
    file,
    ...args,
    "--fail-if",
    "errors>1%",
    "--fail-if",
    "p50>1m",
  );
  expect(status).toBe(99);
  expect(result.target).toEqual({ kind: "scenario", name: file, method: "" });
  expect([result.plan.model, result.plan.processes]).toEqual(["closed", 2]);
  expect(result.thresholds.map(({ ok }) => ok)).toEqual([false, true]);
  const [good, bad] = ["good", "bad"].map((name) => result.requests.find((each) => each.name === name)!);
  expect([good!.failed, bad!.failed]).toEqual([0, bad!.done]);
  expect(result.checks).toEqual([{ name: "says ok", passed: good!.done, failed: 0 }]);
  expect(result.statuses).toEqual({ 200: good!.done, 503: bad!.done });
  expect(result.totals.done).toBe(target.seen.length);
  expect(Math.max(...result.series.map(({ users }) => users))).toBeLessThanOrEqual(6);
  expect(stderr).toContain("bad: status 503");
});

test("on a schedule: a stall is in the response times, though only two users can be at work", async () => {
  using target = new Target();
  let until = 0;
  target.hold = () => {
    // The stall begins with the first request of the second half.
    if (until === 0 && target.seen.length >= 100) until = performance.now() + 500;
    return Math.max(0, until - performance.now());
  };
  const file = write("late.py", 'async def scenario(user):\n    await user.client.get("/late")\n');
  const { result, status } = await load(
    file,
    "--host",
    target.url,
    "--rate",
    "100",
    "--users",
    "2",
    "--duration",
    "2s",
  );
  expect([result.totals.planned, result.totals.done, result.totals.failed]).toEqual([200, 200, 0]);
  expect(result.latency.response.p99Ms).toBeGreaterThan(450);
  expect(result.latency.service.p90Ms).toBeLessThan(400);
  expect(result.totals.blocked).toBeGreaterThan(40);
  // Too few users for the rate: the run says so itself.
  expect(status).toBe(98);
});

test("a Locust file, with arguments of its own", async () => {
  using target = new Target();
  const file = write(
    "locustfile.py",
    `
from locust import HttpUser, constant, tag, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @tag("wanted")
    @task
    def good(self):
        self.client.get("/ok")

    @task
    def bad(self):
        self.client.get("/status/503")
`,
  );
  const args = ["--host", target.url, "--users", "3", "--duration", "2s", "--", "--tags", "wanted"];
  const { status, result } = await load(file, ...args);
  expect(status).toBe(0);
  expect(result.target.kind).toBe("locust");
  expect(result.requests.map(({ name }) => name)).toEqual(["GET /ok"]);
  expect(result.totals.done).toBe(target.seen.length);
  expect(target.seen.every(({ headers }) => headers.toLowerCase().includes("python-requests"))).toBe(true);
});

test("a file that does not load ends with its traceback, and nothing is sent", async () => {
  using target = new Target();
  const file = write("broken.py", "async def scenario(user):\n    return 1 +\n");
  const { status, stdout, stderr } = await command([
    "load",
    file,
    "--host",
    target.url,
    "--users",
    "2",
    "--python",
    PYTHON,
  ]);
  expect(status).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/broken\.py", line 2\n/);
  expect(stderr).toContain("SyntaxError");
  expect(target.seen).toEqual([]);
});

test("a host where nobody listens is told before anything is sent", async () => {
  const file = write("unreached.py", 'async def scenario(user):\n    await user.client.get("/")\n');
  const { status, stderr } = await command([
    "load",
    file,
    "--host",
    "http://127.0.0.1:1",
    "--python",
    PYTHON,
  ]);
  expect([status, stderr]).toEqual([
    2,
    expect.stringContaining("Nothing takes connections at http://127.0.0.1:1"),
  ]);
});

test("a run in which no request was sent is no success", async () => {
  const ours = write("nowhere.py", 'async def scenario(user):\n    await user.client.get("/")\n');
  const locust = write(
    "locustfile_nowhere.py",
    'from locust import HttpUser, task\nclass Visitor(HttpUser):\n    @task\n    def look(self):\n        self.client.get("/")\n',
  );
  for (const [file, why] of [
    [ours, "needs a host: give --host URL"],
    [locust, "You must specify the base host"],
  ] as const) {
    const { status, stderr } = await command(["load", file, "-d", "1s", "--python", PYTHON]);
    expect([status, stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(stderr).toContain("Not one request was counted");
  }
});

test("an interrupt lets users come to their end, and leaves no process behind", async () => {
  using target = new Target();
  const pids = join(folder.path, "pids");
  const file = write(
    "long.py",
    `
import os
from headrace.load import User, constant, task

with open(${JSON.stringify(pids)}, "a") as file:
    print(os.getpid(), file=file)

class Visitor(User):
    wait_time = constant(0.02)

    @task
    async def look(self):
        await self.client.get("/ok")

    async def on_stop(self):
        await self.client.get("/slow/20", name="goodbye")
`,
  );
  const path = join(folder.path, "interrupted.json");
  const args = ["load", file, "--host", target.url, "--users", "4", "--duration", "60s", "--processes", "2"];
  const child = spawn(join(ROOT, "headrace"), [...args, "--python", PYTHON, "--json", path, "-q"]);
  const ended = new Promise<number | null>((resolve) => void child.once("close", resolve));
  await eventually("requests", () => target.seen.length > 40 || undefined);
  child.kill("SIGINT");
  expect(await soon("the end", ended)).toBe(105);
  const result = JSON.parse(readFileSync(path, "utf8")) as LoadResult;
  expect(result.verdict).toBe("interrupted");
  expect(result.totals.done).toBe(target.seen.length);
  expect(result.requests.find(({ name }) => name === "goodbye")?.done).toBe(4);
  const started = readFileSync(pids, "utf8").trim().split("\n");
  expect(started.length).toBe(2);
  await eventually("the processes to be gone", () =>
    started.some((pid) => existsSync(`/proc/${pid}`)) ? undefined : true,
  );
});
