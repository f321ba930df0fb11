/** The client of a scenario at work: TLS, redirects, forms; and what else a scenario may do. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { selfSigned } from "../../test/system/certificate.ts";
import { spawnPython } from "./python.ts";
import { CLASS, folder, PATIENCE_MS, PYTHON, run, serve } from "./python-testkit.ts";

setDefaultTimeout(PATIENCE_MS);

const ONE = `async def scenario(user):\n    await user.client.get("/")\n`;

describe("TLS", () => {
  const secure = () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: selfSigned(),
      fetch: () => new Response("secret"),
    });
    return { host: `https://127.0.0.1:${server.port}`, [Symbol.dispose]: () => void server.stop(true) };
  };

  test("a certificate that nobody vouches for is refused", async () => {
    using server = secure();
    const { sum, notes } = await run({
      source: `${CLASS}
class Careful(User):
    wait_time = constant(0.1)

    @task
    async def go(self):
        await self.client.get("/")
`,
      wish: { host: server.host },
      until: (all) => all.done > 0,
    });
    expect(sum.failures).toEqual({ tls: sum.done });
    expect(notes.join("\n")).toMatch(/self.signed certificate/);
  });

  test("unless it is not asked for", async () => {
    using server = secure();
    const source = `${ONE}    assert (await user.client.get("/")).text == "secret"\n`;
    const { sum } = await run({
      source,
      wish: { host: server.host, insecure: true },
      until: (all) => all.done > 0,
    });
    expect(sum.failures).toEqual({});
    expect([sum.opened, sum.connect.count]).toEqual([4, 4]);
  });
});

test("redirects, forms, a path below the host's own, and requests side by side", async () => {
  using server = serve(async (request, url) => {
    if (url.pathname === "/base/old")
      return new Response("", { status: 302, headers: { location: "new?x=1" } });
    return new Response(`${request.method} ${url.pathname}${url.search} ${await request.text()}`);
  });
  const { sum, notes } = await run({
    source: `${CLASS}
import asyncio

class Clerk(User):
    @task
    async def go(self):
        answer = await self.client.post("/old", data={"a": "b c", "d": [1, 2]}, name="seen")
        assert answer.status == 302 and answer.headers["Location"] == "new?x=1"
        answer = await self.client.post("/old", data={"a": 1}, allow_redirects=True, name="followed")
        assert answer.text == "GET /base/new?x=1 ", answer.text
        assert answer.url.endswith("/base/new?x=1")
        answer = await self.client.put("/form", data={"a": "b c", "d": [1, 2]})
        assert answer.text == "PUT /base/form a=b+c&d=1&d=2", answer.text
        answers = await asyncio.gather(*(self.client.get(f"/{n}", name="side by side") for n in range(3)))
        assert [each.text for each in answers] == [f"GET /base/{n} " for n in range(3)]
        raise StopUser
`.replace("RequestError", "RequestError, StopUser"),
    wish: { host: `${server.host}/base/`, users: 2 },
    until: (all) => all.done >= 14,
  });
  expect([notes, sum.failures]).toEqual([[], {}]);
  expect([...sum.requests].map(([name, { done }]) => [name, done])).toEqual([
    ["seen", 2],
    ["followed", 4],
    ["PUT /form", 2],
    ["side by side", 6],
  ]);
  expect(sum.opened).toBe(6);
});

test("other clients are counted by measure", async () => {
  using server = serve((_, url) => new Response("", { status: url.pathname === "/gone" ? 410 : 200 }));
  const { sum, notes } = await run({
    source: `${CLASS}
import asyncio
import urllib.request

class Other(User):
    @task
    async def go(self):
        with self.measure("own client") as own:
            answer = await asyncio.to_thread(urllib.request.urlopen, self.host)
            own.status(answer.status)
        for code in (500, 200):
            with self.measure(f"says {code}") as own:
                own.status(code)
        with self.measure("said to fail") as own:
            own.fail("the answer is odd")
        for error in (asyncio.TimeoutError(), ConnectionRefusedError(), KeyError("k")):
            try:
                with self.measure("raises"):
                    raise error
            except type(error):
                pass
        with self.measure("raises"):
            assert False

    host = "${server.host}"
`,
    wish: { users: 1 },
    until: (all) => all.done >= 16,
  });
  const rounds = sum.requests.get("own client")!.done;
  expect(sum.failures).toEqual({
    status: rounds,
    check: 2 * rounds,
    timeout: rounds,
    refused: rounds,
    exception: rounds,
  });
  expect(sum.statuses).toEqual({ 200: 2 * rounds, 500: rounds });
  // What was refused, or raised before there was an answer, has no time to tell.
  expect([sum.started, sum.done, sum.response.count]).toEqual([8 * rounds, 8 * rounds, 6 * rounds]);
  expect(notes).toContain("said to fail: the answer is odd");
});

test("constructors and waits that raise are told, and nothing hangs", async () => {
  for (const [name, body] of [
    ["Unborn", "    def __init__(self, *more):\n        raise LookupError('no user')\n"],
    ["Restless", "    def wait_time(self):\n        return 'soon'\n"],
    ["Late", "    async def on_start(self):\n        raise LookupError('not today')\n"],
  ]) {
    const source = `${CLASS}\nclass ${name}(User):\n${body}\n    @task\n    async def go(self): pass\n`;
    const { sum, notes, whole } = await run({ source, wish: { durationS: 0.2 } });
    expect([name, whole, sum.failures]).toEqual([name, true, { exception: 4 }]);
    expect(notes.length).toBe(1);
    const open = { model: "open", stages: [{ atS: 0, rate: 50 }], durationS: 0.2 } as const;
    const scheduled = await run({ source, wish: open });
    expect([scheduled.whole, scheduled.sum.planned]).toEqual([true, 10]);
  }
});

test("a host that is none is refused before anything is sent", async () => {
  const { failed, ticks } = await run({ source: ONE, wish: { host: "127.0.0.1:80" } });
  expect([failed, ticks]).toEqual(["'127.0.0.1:80' is no URL of http or https", []]);
});

test("what is sent to a process that was just killed is dropped", async () => {
  const one = spawnPython({ python: PYTHON, cwd: folder, env: process.env });
  one.kill();
  for (let n = 0; n < 100; n++) one.send({ type: "finish", graceMs: n });
  expect(await one.exited).toBe("SIGKILL");
  one.send({ type: "finish", graceMs: 0 });
});
