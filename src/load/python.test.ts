/** Users, their tasks, and what fails of what they send. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CLASS, PATIENCE_MS, raw, run, serve } from "./python-testkit.ts";

setDefaultTimeout(PATIENCE_MS);

describe("users and tasks", () => {
  test("tasks are drawn by weight, names and methods are counted apart", async () => {
    using server = serve((_, url) => new Response(url.pathname));
    const { sum, whole, notes } = await run({
      source: `${CLASS}
class Visitor(User):
    @task(3)
    async def browse(self) -> None:
        await self.client.get(f"/item/{self.random.randrange(9)}", name="/item/[id]", params={"q": "a b"})

    @task
    async def buy(self):
        answer = await self.client.post("/basket", json={"id": 7})
        self.check("basket answers with its path", answer.text == "/basket")
`,
      wish: { host: server.host },
      until: (all) => all.done >= 400,
    });
    expect([whole, notes]).toEqual([true, []]);
    expect(sum.failed).toBe(0);
    expect(sum.done).toBe(server.seen.length);
    expect(sum.statuses).toEqual({ 200: sum.done });
    expect([...sum.requests.keys()].toSorted()).toEqual(["/item/[id]", "POST /basket"]);
    const buys = sum.requests.get("POST /basket")?.done ?? 0;
    expect(sum.checks.get("basket answers with its path")).toEqual({ passed: buys, failed: 0 });
    // 400 draws with a chance of 1/4: five deviations are 43.
    expect(Math.abs(buys / sum.done - 1 / 4)).toBeLessThan(0.11);
    expect(server.seen.some((line) => /^GET \/item\/\d\?q=a\+b$/.test(line))).toBe(true);
    expect(sum.response.count).toBe(sum.done);
    expect(sum.passed.count).toBe(sum.done);
  });

  test("classes by weight over all processes, each user with its own state, cookies and start", async () => {
    using server = serve((request, url) => {
      if (url.pathname === "/login") {
        const headers = { "set-cookie": `who=${url.searchParams.get("n")}; Path=/; HttpOnly` };
        return new Response("", { headers });
      }
      return new Response(request.headers.get("cookie") ?? "none");
    });
    const { sum, ticks } = await run({
      source: `${CLASS}
class Reader(User):
    weight = 3

    async def on_start(self):
        self.turn = 0
        await self.client.get("/login", params={"n": self.number}, name="login")

    @task
    async def read(self):
        self.turn += 1
        answer = await self.client.get("/page", name="read", headers={"x-turn": str(self.turn)})
        assert answer.text == f"who={self.number}", answer.text

    async def on_stop(self):
        await self.client.get("/logout")

class Writer(User):
    @task
    async def write(self):
        answer = await self.client.put("/page", data=b"x", name="write")
        assert answer.text == "none"
`,
      wish: { host: server.host, users: 8 },
      shards: 2,
      until: (all) =>
        (all.requests.get("read")?.done ?? 0) > 20 && (all.requests.get("write")?.done ?? 0) > 20,
    });
    expect(sum.failures).toEqual({});
    expect(sum.requests.get("login")?.done).toBe(6);
    expect(sum.requests.get("GET /logout")?.done).toBe(6);
    const numbers = server.seen.filter((line) => line.includes("/login")).toSorted();
    expect(numbers).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => n % 4 !== 2).map((n) => `GET /login?n=${n}`),
    );
    expect(Math.max(...ticks.map(({ users }) => users))).toBe(4);
    expect(sum.opened).toBe(8);
  });

  test("users wait their think time, and begin at the spawn rate", async () => {
    using server = serve(() => new Response("ok"));
    const { sum } = await run({
      source: `${CLASS}
class Slow(User):
    wait_time = constant(3600)

    @task
    async def look(self):
        await self.client.get("/")
`,
      wish: { host: server.host, users: 1_000, spawnRate: 10, durationS: 1.05 },
    });
    // Users 0 to 10 are due by then. On a busy machine the last may come too late, but none too early.
    expect(sum.done).toBeLessThanOrEqual(11);
    expect(sum.done).toBeGreaterThanOrEqual(1);
  });

  test("the simplest form is one function", async () => {
    using server = serve((request) => new Response(request.headers.get("x-all")));
    const { sum } = await run({
      source: `
async def scenario(user):
    answer = await user.client.get("/")
    assert answer.text == "yes"
`,
      wish: { host: server.host, headers: [["X-All", "yes"]] },
      until: (all) => all.done > 0,
    });
    expect(sum.failures).toEqual({});
  });
});

describe("what fails", () => {
  test("statuses, checks, assertions and exceptions fail a request once each, and are noted once", async () => {
    using server = serve((_, url) => new Response("no", { status: url.pathname === "/gone" ? 410 : 200 }));
    const { sum, notes } = await run({
      source: `${CLASS}
class Unlucky(User):
    turn = 0

    @task
    async def go(self):
        self.turn += 1
        turn = self.turn % 6
        if turn == 1:
            await self.client.get("/gone")
        elif turn == 2:
            await self.client.get("/gone", name="expected", expect=410)
        elif turn == 3:
            answer = await self.client.get("/", name="checked")
            self.check("says yes", answer.text == "yes")
            self.check("says yes, again", answer.text == "yes")
        elif turn == 4:
            answer = await self.client.get("/", name="asserted")
            assert answer.json()["a"] == 1
        elif turn == 5:
            if self.turn > 11:
                await self.client.get("no-slash")
            raise LookupError("no request at all")
        else:
            answer = await self.client.get("/", name="asserted")
            assert answer.text == "yes", "the text is wrong"
`,
      wish: { host: server.host, users: 1 },
      until: (all) => (all.failures["exception"] ?? 0) >= 12,
    });
    const of = (name: string) => sum.requests.get(name);
    expect(of("GET /gone")?.failed).toBe(of("GET /gone")!.done);
    expect(of("expected")?.failed).toBe(0);
    expect(of("checked")?.failed).toBe(of("checked")!.done);
    expect(of("asserted")?.failed).toBe(of("asserted")!.done);
    expect(of("Unlucky.go")?.failed).toBe(of("Unlucky.go")!.done);
    expect(sum.failures["status"]).toBe(of("GET /gone")!.done);
    expect(sum.checks.get("says yes")?.failed).toBe(of("checked")!.done);
    expect(sum.checks.get("the text is wrong")?.passed).toBe(0);
    expect(sum.failed).toBe(Object.values(sum.failures).reduce((a, b) => a + b, 0));
    expect(sum.passed.count).toBe(sum.done - sum.failed);
    const text = notes.join("\n");
    expect(text).toContain("GET /gone: status 410");
    expect(text).toContain("LookupError: no request at all");
    expect(text).toMatch(/File ".*scenario_\d+\.py", line \d+, in go/);
    expect(text.match(/LookupError: /g)?.length).toBe(1);
    expect(text).toEndWith("ValueError: 'no-slash' is neither a path, which begins with a slash, nor a URL");
    expect(text).not.toContain("client.py");
  });

  test("an answer that does not come in time counts with the time it had", async () => {
    using server = raw(() => {});
    const { sum, notes } = await run({
      source: `${CLASS}
class Patient(User):
    @task
    async def wait(self):
        try:
            await self.client.get("/")
        except RequestError as error:
            assert error.kind == "timeout"
            await self.client.get("/", timeout=0.05, name="short")
`,
      wish: { host: server.host, users: 2, timeoutMs: 150 },
      until: (all) => all.done >= 4,
    });
    expect(Object.keys(sum.failures)).toEqual(["timeout"]);
    expect(sum.requests.get("GET /")!.response.minUs).toBeGreaterThanOrEqual(150_000);
    expect(sum.requests.get("short")!.response.minUs).toBeGreaterThanOrEqual(50_000);
    expect(notes).toContain("GET /: No whole answer within the timeout.");
  });

  test("cut, closed, reset, no HTTP and refused are told apart", async () => {
    using server = raw((socket, text) => {
      const path = text.split(" ")[1] ?? "";
      if (path === "/cut") socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
      else if (path === "/chunk") socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab");
      else if (path === "/closed") socket.end();
      else if (path === "/reset") socket.terminate();
      else if (path === "/what") socket.end("SSH-2.0-OpenSSH_9.6\r\n\r\n");
      else socket.end("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    });
    using gone = raw(() => {});
    const refused = gone.host;
    gone[Symbol.dispose]();
    const { sum } = await run({
      source: `${CLASS}
class Careful(User):
    @task
    async def all(self):
        for path in ("/cut", "/chunk", "/closed", "/reset", "/what", "${refused}/refused"):
            try:
                await self.client.get(path, name=path)
            except RequestError as error:
                self.check(f"{path[:4]} {error.kind}", True)
        answer = await self.client.get("/fine")
        assert answer.text == "until the end"
`,
      wish: { host: server.host, users: 1 },
      until: (all) => all.done >= 7,
    });
    const checks = [...sum.checks.keys()].toSorted();
    expect(checks).toEqual([
      "/chu cut",
      "/clo closed",
      "/cut cut",
      "/res reset",
      "/wha malformed",
      "http refused",
    ]);
    expect(sum.requests.get("GET /fine")?.failed).toBe(0);
  });

  test("a request on a connection that was closed meanwhile is sent again", async () => {
    let answers = 0;
    using server = raw((socket) => {
      // Kept alive, it says; the second request finds out.
      if (++answers % 2 === 0) socket.terminate();
      else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    const { sum } = await run({
      source: `async def scenario(user):\n    await user.client.get("/")\n`,
      wish: { host: server.host, users: 1 },
      until: (all) => all.done >= 10,
    });
    expect(sum.failures).toEqual({});
    expect(sum.resent).toBeGreaterThan(0);
  });

  test("what is in flight after the grace is unfinished", async () => {
    using server = raw(() => {});
    const { sum, whole } = await run({
      source: `async def scenario(user):\n    await user.client.get("/")\n`,
      wish: { host: server.host, users: 3, durationS: 0.3, graceMs: 100 },
    });
    expect([whole, sum.failures, sum.done]).toEqual([true, { unfinished: 3 }, 3]);
  });
});
