/**
 * `headrace load` against services that do exactly what they say: a generator that flatters the service, or itself, fails here.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Histogram } from "../../src/load/histogram.ts";
import type { LoadResult } from "../../src/load/result.ts";
import { selfSigned } from "./certificate.ts";
import { load } from "./generator.ts";
import { APPS, command, Headrace, PATIENCE_MS, ROOT, scratchFolder, soon } from "./harness.ts";
import { Target } from "./target.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const folder = scratchFolder();
afterAll(() => folder[Symbol.dispose]());

describe("does not lie", () => {
  test("a service that stalls 1 s in every 10 at 100 requests/s has a p99 of 0.9 s, and a service time that hides it when asked closed", async () => {
    using target = new Target();
    const began = performance.now();
    // From 4.0 to 5.0 s of each 10 s everything waits for the end of the stall.
    target.hold = () => {
      const into = (performance.now() - began) % 10_000;
      return into >= 4_000 && into < 5_000 ? 5_000 - into : 0;
    };
    const open = load(`${target.url}/late`, "--rate", "100", "--duration", "10s");
    const closed = load(`${target.url}/late`, "-c", "1", "--duration", "10s");
    const { result, status } = await open;
    expect(result.totals.done).toBe(1_000);
    expect(result.latency.response.p99Ms).toBeGreaterThan(850);
    expect(result.latency.response.p99Ms).toBeLessThan(1_000);
    expect(result.latency.response.p50Ms).toBeLessThan(100);
    // A busy machine may have begun some late: it then says so.
    if (status !== 0)
      expect([status, result.generator.saturated]).toEqual([98, expect.stringContaining("late")]);
    // One stall in thousands of answers: this is what the other tools show.
    expect((await closed).result.latency.response.p99Ms).toBeLessThan(500);
  });

  test("what it measures is what the service did: each quantile of known waits comes back", async () => {
    using target = new Target();
    const list = join(folder.path, "waits.txt");
    // 90 % wait 20 ms, 9 % 150 ms, 1 % 400 ms.
    writeFileSync(list, `90 ${target.url}/slow/20\n9 ${target.url}/slow/150\n1 ${target.url}/slow/400\n`);
    const { result } = await load(
      "--urls",
      list,
      "--rate",
      "300",
      "--duration",
      "5s",
      "--arrivals",
      "poisson",
    );
    const { requests, latency } = result;
    const named = (name: string) => requests.find((each) => each.name.endsWith(name))!;
    for (const [name, ms, share] of [
      ["/20", 20, 0.9],
      ["/150", 150, 0.09],
      ["/400", 400, 0.01],
    ] as const) {
      const { response, done } = named(name);
      // Timers of the service are not early, and the machine adds to them.
      expect(response.minMs, name).toBeGreaterThanOrEqual(ms - 1);
      expect(response.p50Ms, name).toBeLessThan(ms + 60);
      const expected = share * result.totals.done;
      expect(Math.abs(done - expected), name).toBeLessThan(5 * Math.sqrt(expected));
    }
    expect(latency.response.count).toBe(result.totals.done);
    // The parts add up to the whole, value by value.
    const sum = new Histogram();
    for (const each of requests) sum.add(Histogram.fromBase64(each.response.hdr));
    expect(sum.toSparse()).toEqual(Histogram.fromBase64(latency.response.hdr).toSparse());
  });

  test("a rate that the machine cannot send ends with 98", async () => {
    using target = new Target();
    const { status, result, stderr } = await load(
      `${target.url}/ok`,
      "--rate",
      "3000000",
      "--duration",
      "1s",
      "--timeout",
      "3s",
      "-P",
      "1",
    );
    expect(status).toBe(98);
    expect(result.verdict).toBe("invalid");
    expect(result.generator.saturated).toContain("late");
    expect(result.totals.planned).toBe(3_000_000);
    expect(result.totals.started).toBeLessThan(3_000_000);
    expect(stderr).toContain("INVALID");
  });

  test("too few connections for the rate end with 98, and the waiting for them counts", async () => {
    using target = new Target();
    const { status, result } = await load(
      `${target.url}/slow/100`,
      "--rate",
      "100",
      "--duration",
      "2s",
      "--max-connections",
      "5",
    );
    expect(status).toBe(98);
    expect(result.generator.saturated).toContain("5 connections");
    // 5 connections of 100 ms do 50/s; the last of 200 requests has waited for 2 s.
    expect(result.latency.response.maxMs).toBeGreaterThan(1_500);
    expect(result.latency.service.p50Ms).toBeLessThan(300);
    expect(result.totals.maxConnections).toBeLessThanOrEqual(5);
  });

  test("a closed loop is said to be one", async () => {
    using target = new Target();
    const { status, stdout } = await command(["load", `${target.url}/ok`, "-c", "4", "-n", "50"]);
    expect(status).toBe(0);
    expect(stdout).toContain("Closed loop");
    expect(target.seen).toHaveLength(50);
    expect(target.maxOpen).toBeGreaterThanOrEqual(4);
  });
});

describe("counts what goes wrong as what it is", () => {
  const cases: Readonly<Record<string, string>> = {
    "/cut": "cut",
    "/reset": "reset",
    "/close": "closed",
    "/garbage": "malformed",
    "/status/503": "status",
    "/never": "timeout",
  };
  for (const [path, failure] of Object.entries(cases)) {
    test(`${path}: ${failure}`, async () => {
      using target = new Target();
      const args = [`${target.url}${path}`, "--rate", "20", "--duration", "1s", "--timeout", "700ms"];
      const { result, status } = await load(...args, "--fail-if", "errors>0");
      expect(result.failures).toEqual({ [failure]: 20 });
      expect(result.totals).toMatchObject({ done: 20, failed: 20, started: 20, planned: 20 });
      expect(result.totals.passedPerS).toBe(0);
      expect(status).toBe(99);
      expect(result.latency.passed.count).toBe(0);
      // A timeout has a time; what was cut has none.
      if (failure === "timeout") expect(result.latency.response.minMs).toBeGreaterThanOrEqual(699);
      else expect(result.latency.response.count).toBe(failure === "status" ? 20 : 0);
    });
  }

  test("bodies and lengths that are not as expected", async () => {
    using target = new Target();
    const run = async (...args: string[]) =>
      (await load(`${target.url}/chunked`, "-c", "1", "-n", "3", ...args)).result.failures;
    expect(await run("--expect-body", "hello world", "--expect-length", "11")).toEqual({});
    expect(await run("--expect-length", "12")).toEqual({ length: 3 });
    expect(await run("--expect-body", "/^hello$/")).toEqual({ body: 3 });
    expect(await run("--expect-body", "/lo wo.ld$/")).toEqual({});
    expect(await run("--expect-status", "201,404")).toEqual({ status: 3 });
  });

  test("a service that goes away in the middle", async () => {
    const target = new Target();
    const going = load(`${target.url}/ok`, "--rate", "50", "--duration", "3s");
    await soon("requests", untilSeen(target, 30));
    target[Symbol.dispose]();
    const { result } = await going;
    expect(result.totals.done).toBe(150);
    expect(result.failures["refused"]).toBeGreaterThan(30);
    expect(result.totals.failed).toBe(Object.values(result.failures).reduce((sum, each) => sum + each, 0));
    expect(result.latency.response.count + result.totals.failed).toBe(150);
  });
});

async function untilSeen(target: Target, count: number): Promise<void> {
  while (target.seen.length < count) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("sends what it is told", () => {
  test("method, headers, body, and values that are unique over all processes", async () => {
    using target = new Target();
    const url = `${target.url}/ok?n={{seq}}`;
    const args = [
      "-H",
      "X-Id: {{uuid}}",
      "-H",
      "Host: shop.test",
      "--data",
      '{"id":"{{uuid}}","n":{{random:5:7}}}',
    ];
    const { result } = await load(url, ...args, "--rate", "200", "--duration", "1s", "--processes", "3");
    expect(result.totals.done).toBe(200);
    expect(result.plan.processes).toBe(3);
    const { seen } = target;
    expect(new Set(seen.map(({ path }) => path)).size).toBe(200);
    expect(new Set(seen.map(({ headers }) => /^X-Id: (.*)$/m.exec(headers)![1])).size).toBe(200);
    for (const { method, headers, body } of seen) {
      expect(method).toBe("POST");
      expect(headers).toContain("Host: shop.test");
      const { id, n } = JSON.parse(body) as { id: string; n: number };
      expect(headers).toContain(`X-Id: ${id}`);
      expect([5, 6, 7]).toContain(n);
    }
  });

  test("the same seed sends the same, another one something else", async () => {
    const sent = async (seed: string) => {
      using target = new Target();
      await load(`${target.url}/ok?{{uuid}}`, "-c", "1", "-n", "5", "--seed", seed);
      return target.seen.map(({ path }) => path);
    };
    const first = await sent("1");
    expect(await sent("1")).toEqual(first);
    expect(await sent("2")).not.toEqual(first);
  });

  test("a list of URLs, with bodies from files and a method for each", async () => {
    using target = new Target();
    writeFileSync(join(folder.path, "body.json"), '{"a":1}');
    const list = join(folder.path, "urls.txt");
    writeFileSync(
      list,
      `# two kinds\n3 ${target.url}/ok\nDELETE ${target.url}/ok?x\n2 ${target.url}/ok?post @${join(folder.path, "body.json")}\n`,
    );
    const { result } = await load("--urls", list, "-c", "2", "-n", "300");
    expect(result.requests.map(({ name }) => name)).toEqual(["GET /ok", "DELETE /ok?x", "POST /ok?post"]);
    const posted = target.seen.filter(({ method }) => method === "POST");
    expect(posted.length).toBeGreaterThan(50);
    expect(new Set(posted.map(({ body }) => body))).toEqual(new Set(['{"a":1}']));
    expect(target.seen.filter(({ method }) => method === "DELETE").length).toBeGreaterThan(15);
  });

  test("a kept connection that the service closed costs no request", async () => {
    using target = new Target();
    const { result } = await load(`${target.url}/bye`, "--rate", "100", "--duration", "1s");
    expect(result.failures).toEqual({});
    expect(result.totals).toMatchObject({ done: 100, failed: 0 });
    expect(result.totals.opened).toBeGreaterThan(50);
  });

  test("a connection each, without keep-alive", async () => {
    using target = new Target();
    const { result } = await load(`${target.url}/ok`, "-c", "2", "-n", "20", "--no-keepalive");
    expect(result.totals).toMatchObject({ done: 20, failed: 0, opened: 20 });
  });
});

describe("over TLS and WebSockets", () => {
  const pair = selfSigned();
  const ca = join(folder.path, "ca.pem");
  writeFileSync(ca, pair.cert);

  test("TLS: a certificate that is trusted, one that is not, and one that nobody looks at", async () => {
    await using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: pair,
      fetch: () => new Response("secret"),
    });
    const url = `https://localhost:${server.port}/`;
    const trusted = await load(url, "-c", "2", "-n", "20", "--cacert", ca, "--expect-body", "secret");
    expect(trusted.result.totals).toMatchObject({ done: 20, failed: 0, opened: 2 });
    const unknown = await load(url, "--rate", "5", "--duration", "1s");
    expect(unknown.result.failures).toEqual({ tls: 5 });
    expect((await load(url, "-c", "1", "-n", "3", "--insecure")).result.totals.failed).toBe(0);
  });

  test("TLS asked of a service that speaks plain HTTP", async () => {
    await using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("plain") });
    const { result } = await load(`https://127.0.0.1:${server.port}/`, "--rate", "5", "--duration", "1s");
    expect(result.failures).toEqual({ tls: 5 });
  });

  test("WebSocket: messages and their answers, at a rate and held", async () => {
    let most = 0;
    let open = 0;
    const said: string[] = [];
    await using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, own) => (own.upgrade(request) ? undefined : new Response("no", { status: 400 })),
      websocket: {
        open() {
          open++;
          most = Math.max(most, open);
        },
        close() {
          open--;
        },
        message: (socket, message) => {
          said.push(String(message));
          socket.send(`echo ${message}`);
        },
      },
    });
    const url = `ws://127.0.0.1:${server.port}/chat`;
    const { result } = await load(
      url,
      "--rate",
      "100",
      "--duration",
      "1s",
      "--data",
      "hello",
      "--expect-body",
      "echo hello",
    );
    expect(result.totals).toMatchObject({ done: 100, failed: 0 });
    expect(new Set(said)).toEqual(new Set(["hello"]));
    const held = await load(url, "--connections", "200", "--hold", "1s");
    expect(held.result.totals).toMatchObject({ opened: 200, done: 400, failed: 0 });
    expect(most).toBeGreaterThanOrEqual(200);
    const refused = await load(
      `ws://127.0.0.1:${server.port}/`,
      "-c",
      "1",
      "-n",
      "2",
      "--expect-body",
      "something else",
    );
    expect(refused.result.failures).toEqual({ body: 2 });
  });
});

test("holds connections, each of which works before and after", async () => {
  using target = new Target();
  const { result, status } = await load(
    `${target.url}/ok`,
    "--connections",
    "1500",
    "--hold",
    "1s",
    "--processes",
    "2",
  );
  expect(status).toBe(0);
  expect(target.maxOpen).toBeGreaterThanOrEqual(1_500);
  expect(result.totals).toMatchObject({ opened: 1_500, done: 3_000, failed: 0 });
  expect(result.totals.maxConnections).toBe(1_500);
});

test("finds the highest rate that keeps a promise", async () => {
  using target = new Target();
  // One after the other, 8 ms each: 125 a second.
  let freeAt = 0;
  target.hold = () => {
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + 8;
    return freeAt - now;
  };
  const { result, status } = await load(
    `${target.url}/late`,
    "--rate",
    "25",
    "--find-max",
    "--slo",
    "p90<100ms",
    "--step-duration",
    "1s",
  );
  // On a busy machine the generator may meet its limit first, and says so; the service's is never exceeded.
  const found = result.plan.stages[0]!.rate;
  expect(found).toBeGreaterThan(5);
  expect(found).toBeLessThan(160);
  const kept = result.steps.filter(({ ok }) => ok).map(({ rate }) => rate);
  const broken = result.steps.filter(({ ok }) => !ok);
  expect(Math.max(...kept)).toBe(found);
  for (const { rate, why } of broken) {
    expect(rate).toBeGreaterThan(found);
    expect(why).toMatch(/^(p90<100ms was|generator: )/);
  }
  const lowest = broken.toSorted((a, b) => a.rate - b.rate)[0];
  expect(status).toBe(lowest?.fellShort === true ? 98 : 0);
});

test("an interrupt ends it with what there is", async () => {
  using target = new Target();
  const path = join(folder.path, "interrupted.json");
  const child = spawn(join(ROOT, "headrace"), [
    "load",
    `${target.url}/ok`,
    "--rate",
    "50",
    "--duration",
    "60s",
    "--json",
    path,
    "-q",
  ]);
  const ended = new Promise<number | null>((resolve) => void child.once("close", resolve));
  await soon("requests", untilSeen(target, 60));
  child.kill("SIGINT");
  expect(await soon("the end", ended)).toBe(105);
  const result = JSON.parse(readFileSync(path, "utf8")) as LoadResult;
  expect(result.verdict).toBe("interrupted");
  expect(result.totals.done).toBe(target.seen.length);
  expect(result.durationS).toBeLessThan(30);
});

test("shows the service's side when the target is a Headrace", async () => {
  await using headrace = await Headrace.start(join(APPS, "knee.py"), {
    args: ["--concurrency", "2", "--max-instances", "1"],
  });
  const { port } = headrace;
  const { status, stdout } = await command([
    "load",
    `http://127.0.0.1:${port}/`,
    "--rate",
    "60",
    "--duration",
    "3s",
  ]);
  expect(status).not.toBe(2);
  expect(stdout).toContain("THE SERVICE'S SIDE");
  expect(Number(/answered\.+: ([\d,]+)/.exec(stdout)![1]!.replace(",", ""))).toBeGreaterThanOrEqual(180);
});

describe("says what is wrong before it begins", () => {
  const wrong: Readonly<Record<string, [readonly string[], RegExp]>> = {
    "no URL": [[], /No URL is named/],
    "no scheme": [["localhost:8080"], /Write http:\/\/localhost:8080/],
    "nobody there": [
      ["http://127.0.0.1:1/"],
      /Nothing takes connections at http:\/\/127\.0\.0\.1:1 .*ECONNREFUSED/,
    ],
    "a rate of a closed loop": [
      ["http://127.0.0.1:1/", "-c", "5", "--rate", "5"],
      /A closed loop has no rate/,
    ],
    "a condition": [["http://127.0.0.1:1/", "--fail-if", "p99"], /"p99" is not a condition/],
    "a metric": [["http://127.0.0.1:1/", "--fail-if", "p101>5"], /"p101" is not a metric/],
    stages: [["http://127.0.0.1:1/", "--stages", "10s:5,5s:5"], /lies before/],
    "a promise without a search": [["http://127.0.0.1:1/", "--slo", "p99<5ms"], /Write --find-max/],
    "a file": [["http://127.0.0.1:1/", "--data", "@/nowhere"], /\/nowhere does not exist/],
    "too many connections": [
      ["--connect-to", "PORT", "http://127.0.0.1:1/", "-c", "9000000", "-P", "1"],
      /raise the limit: ulimit -n/,
    ],
  };
  for (const [name, [args, message]] of Object.entries(wrong)) {
    test(name, async () => {
      using target = new Target();
      const { status, stderr } = await command([
        "load",
        ...args.map((each) => each.replace("PORT", new URL(target.url).host)),
      ]);
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
      expect(target.seen).toEqual([]);
    });
  }
});

test("what a service works off after the end is not its rate", async () => {
  using target = new Target();
  // Each answer waits for the one before: 100 a second, whatever is asked.
  let freeAt = 0;
  target.hold = () => {
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + 10;
    return freeAt - now;
  };
  const { result } = await load(`${target.url}/late`, "--rate", "200", "--duration", "3s");
  expect(result.totals.done).toBe(600);
  expect(result.totals.startedPerS).toBeGreaterThan(150);
  expect(result.totals.passedPerS).toBeLessThan(140);
});
