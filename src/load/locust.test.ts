/** Locust files, run by the Locust that is installed for the tests. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { folder, PATIENCE_MS, PYTHON, raw, run, serve } from "./python-testkit.ts";

setDefaultTimeout(PATIENCE_MS);

const kind = "locust";

describe("a Locust file", () => {
  test("its requests are counted as Locust counts them, over several processes", async () => {
    using server = serve((request, url) => {
      if (url.pathname === "/gone") return new Response("", { status: 410 });
      return new Response(request.headers.get("user-agent")?.startsWith("python-requests") ? "slow" : "fast");
    });
    const { sum, ticks, notes, whole } = await run({
      source: `
from locust import FastHttpUser, HttpUser, constant, events, task

@events.init.add_listener
def started(environment, **_):
    assert environment.runner is not None

class Shopper(HttpUser):
    wait_time = constant(0.01)

    @task(2)
    def item(self):
        self.client.get("/item/7", name="/item/[id]")

    @task
    def gone(self):
        self.client.get("/gone")

    @task
    def doubtful(self):
        with self.client.get("/doubt", catch_response=True) as answer:
            answer.failure("no good")

    @task
    def broken(self):
        raise LookupError("no request at all")

class Fast(FastHttpUser):
    wait_time = constant(0.01)

    @task
    def post(self):
        assert self.client.post("/", data="x").text == "fast"
`,
      wish: { kind, host: server.host, users: 5 },
      shards: 2,
      until: (all) => all.done > 60 && ["status", "check", "exception"].every((each) => all.failures[each]),
    });
    expect(whole).toBe(true);
    const names = ["/item/[id]", "/gone", "/doubt"].map((path) => `GET ${path}`);
    const mine = [...names, "POST /", "exception in Shopper"];
    expect([...sum.requests.keys()].toSorted()).toEqual(mine.toSorted());
    const of = (name: string) => sum.requests.get(name)!;
    expect([of("GET /item/[id]").failed, of("POST /").failed]).toEqual([0, 0]);
    expect(sum.failures).toEqual({
      status: of("GET /gone").done,
      check: of("GET /doubt").done,
      exception: of("exception in Shopper").done,
    });
    expect(sum.statuses).toEqual({
      200: sum.done - of("GET /gone").done - of("exception in Shopper").done,
      410: of("GET /gone").done,
    });
    expect(sum.response.count).toBe(sum.done - of("exception in Shopper").done);
    expect(sum.passed.count).toBe(sum.done - sum.failed);
    expect(Math.max(...ticks.map(({ users }) => users))).toBe(3);
    const text = notes.join("\n");
    expect(text).toContain("GET /doubt: no good");
    expect(text.match(/LookupError: no request at all/g)?.length).toBe(2);
    expect(text).not.toContain("site-packages");
  });

  test("refused and cut connections are counted as what they are", async () => {
    using server = raw((socket) => socket.end());
    using gone = raw(() => {});
    const refused = gone.host;
    gone[Symbol.dispose]();
    const { sum } = await run({
      source: `
from locust import FastHttpUser, HttpUser, constant, task

class Slow(HttpUser):
    wait_time = constant(0.05)

    @task
    def both(self):
        self.client.get("${refused}/", name="slow refused")
        self.client.get("/", name="slow closed")

class Fast(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def both(self):
        self.client.get("${refused}/", name="fast refused")
        self.client.get("/", name="fast closed")
`,
      wish: { kind, host: server.host, users: 2 },
      until: (all) => all.requests.size === 4,
    });
    const done = (name: string) => sum.requests.get(`GET ${name}`)!.done;
    expect(sum.failures).toEqual({
      refused: done("slow refused") + done("fast refused"),
      closed: done("slow closed") + done("fast closed"),
    });
  });

  test("a shape rules the users of all processes together, and may end the run", async () => {
    using server = serve(() => new Response("ok"));
    const { sum, ticks, whole } = await run({
      source: `
from locust import HttpUser, LoadTestShape, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @task
    def look(self):
        self.client.get("/")

class Steps(LoadTestShape):
    def tick(self):
        return (3, 100) if self.get_run_time() < 2.5 else None
`,
      wish: { kind, host: server.host, durationS: 600 },
      shards: 2,
    });
    expect(whole).toBe(true);
    expect(sum.failed).toBe(0);
    expect(sum.done).toBeGreaterThan(0);
    expect(
      ticks
        .map(({ users }) => users)
        .toSorted()
        .at(-1),
    ).toBe(2);
  });

  test("arguments of the file's own and tags", async () => {
    using server = serve(() => new Response("ok"));
    const { sum, failed } = await run({
      source: `
from locust import HttpUser, constant, events, tag, task

@events.init_command_line_parser.add_listener
def _(parser):
    parser.add_argument("--path", default="/none")

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @tag("wanted")
    @task
    def look(self):
        self.client.get(self.environment.parsed_options.path)

    @task
    def other(self):
        self.client.get("/other")
`,
      wish: { kind, host: server.host, arguments: ["--path", "/mine", "--tags", "wanted"] },
      until: (all) => all.done > 3,
    });
    expect(failed).toBe(undefined);
    expect([...sum.requests.keys()]).toEqual(["GET /mine"]);
  });
});

describe("what cannot be run", () => {
  const failing = async (source: string, more: object = {}) =>
    (await run({ source, wish: { kind, ...more } })).failed ?? "";

  test("a syntax error, an exception, nobody, arguments that Locust does not know", async () => {
    expect(await failing("from locust import (")).toContain("SyntaxError");
    const text = await failing("from locust import task\nimport no_such_module_here\n");
    expect(text).toContain("No module named 'no_such_module_here'");
    expect(text).not.toContain("load_locustfile.py");
    expect(await failing("from locust import task")).toContain("has no class derived from a User of Locust");
    const user = "from locust import User, task\nclass One(User):\n    @task\n    def go(self): pass\n";
    expect(await failing(user, { arguments: ["--no-such"] })).toContain(
      "Locust does not take these arguments",
    );
    expect(await failing(user, { model: "open", stages: [{ atS: 0, rate: 1 }] })).toContain("closed loop");
  });

  describe("an interpreter without Locust", () => {
    const bare = join(folder, "bare");
    beforeAll(() => {
      const { exitCode } = Bun.spawnSync([PYTHON, "-m", "venv", "--without-pip", bare]);
      expect(exitCode).toBe(0);
    });

    test("is named, with what to do", async () => {
      const python = join(bare, "bin/python");
      const { failed } = await run({ source: "from locust import HttpUser\n", wish: { kind }, python });
      expect(failed).toStartWith(
        `${python} has no Locust, which this file needs: ${python} -m pip install locust`,
      );
    });
  });
});
