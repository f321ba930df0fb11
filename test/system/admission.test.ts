/** Slots are never exceeded, the line is bounded, and whoever leaves frees a place. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type Answer, ask, RawClient, values } from "./client.ts";
import { APPS, eventually, Headrace, PATIENCE_MS } from "./harness.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const APP = join(APPS, "raw_asgi.py");

/** A request that runs until the stage lets it go on. */
const hold = (headrace: Headrace, key: string): Promise<Answer> =>
  ask(headrace.port, "GET", `/stage?key=${key}`);

async function waiting(headrace: Headrace, count: number): Promise<void> {
  await eventually(`${count} in the line`, async () =>
    (await headrace.status()).line.waiting === count ? true : undefined,
  );
}

describe("slots", () => {
  test("are never exceeded over two gateways and two instances", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: [
        "--concurrency",
        "3",
        "--instances",
        "2",
        "--gateways",
        "2",
        "--line-depth",
        "1000",
        "--line-wait",
        "60s",
      ],
      env: stage.env,
    });
    const clients = Array.from({ length: 50 }, async (_, client) => {
      const statuses: number[] = [];
      for (let n = 0; n < 8; n += 1) statuses.push((await hold(headrace, `${client}.${n}`)).status);
      return statuses;
    });
    await stage.waitFor("all slots to be taken", () => (stage.running().length >= 6 ? true : undefined));
    await waiting(headrace, 44);
    expect(stage.running().length).toBe(6);
    stage.release();
    expect((await Promise.all(clients)).flat().filter((status) => status !== 200)).toEqual([]);
    expect(stage.calls.length).toBe(400);
    expect(stage.peak).toBe(6);
    expect([...stage.peakByPid.values()]).toEqual([3, 3]);
    // A slot is held until its app has returned, a moment after the client is answered.
    await eventually("all slots to be given back", async () => {
      const { instances } = await headrace.status();
      return instances.every(({ inFlight }) => inFlight === 0) ? true : undefined;
    });
  });

  test("are held by background work after the answer", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--concurrency", "1", "--gateways", "1"],
      env: stage.env,
    });
    expect((await ask(headrace.port, "GET", "/background?key=b")).body.toString()).toBe("answered");
    const behind = hold(headrace, "behind");
    await waiting(headrace, 1);
    expect(stage.calls.map(({ key }) => key)).toEqual(["b"]);
    stage.release();
    expect((await behind).status).toBe(200);
  });
});

describe("the line", () => {
  test("is bounded: beyond it 429 with a reason and Retry-After", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--concurrency", "1", "--line-depth", "2", "--gateways", "2"],
      env: stage.env,
    });
    const first = hold(headrace, "first");
    await stage.begun("first");
    const second = hold(headrace, "second");
    const third = hold(headrace, "third");
    await waiting(headrace, 2);
    const refused = await hold(headrace, "refused");
    expect(refused.status).toBe(429);
    expect(values(refused, "headrace-reason")).toEqual(["HR_LINE_FULL"]);
    expect(Number(values(refused, "retry-after")[0])).toBeGreaterThanOrEqual(1);
    stage.release();
    expect([(await first).status, (await second).status, (await third).status]).toEqual([200, 200, 200]);
    expect(stage.calls.length).toBe(3);
    expect(await headrace.metrics()).toMatch(/^headrace_\w*refus\w*\{[^}]*\} 1$/m);
  });

  test("has a longest wait: then 503", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--concurrency", "1", "--line-wait", "200ms", "--gateways", "1"],
      env: stage.env,
    });
    const first = hold(headrace, "first");
    await stage.begun("first");
    const late = await hold(headrace, "late");
    expect(late.status).toBe(503);
    expect(values(late, "headrace-reason")).toEqual(["HR_LINE_WAIT"]);
    expect(values(late, "retry-after").length).toBe(1);
    stage.release();
    expect((await first).status).toBe(200);
    expect(stage.calls.length).toBe(1);
  });

  test("gives the place of a client that leaves to the next", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--concurrency", "1", "--line-depth", "1", "--gateways", "2"],
      env: stage.env,
    });
    const first = hold(headrace, "first");
    await stage.begun("first");
    using leaver = await RawClient.open(headrace.port);
    leaver.request("GET", "/stage?key=leaver");
    await waiting(headrace, 1);
    leaver.close();
    await waiting(headrace, 0);
    const next = hold(headrace, "next");
    await waiting(headrace, 1);
    stage.release();
    expect([(await first).status, (await next).status]).toEqual([200, 200]);
    expect(stage.calls.map(({ key }) => key)).toEqual(["first", "next"]);
  });

  test("does not hold up the health path", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--concurrency", "1", "--line-depth", "0", "--health-path", "/healthz", "--gateways", "1"],
      env: stage.env,
    });
    const first = hold(headrace, "first");
    await stage.begun("first");
    expect((await hold(headrace, "other")).status).toBe(429);
    expect((await ask(headrace.port, "GET", "/healthz")).body.toString()).toBe("Hello, world!");
    stage.release();
    expect((await first).status).toBe(200);
  });
});

describe("a request", () => {
  test("over its time gets 504, and the app hears of a disconnect", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--timeout", "300ms", "--gateways", "1"],
      env: stage.env,
    });
    const late = hold(headrace, "late");
    const call = await stage.begun("late");
    const answer = await late;
    expect(answer.status).toBe(504);
    expect(values(answer, "headrace-reason")).toEqual(["HR_DEADLINE"]);
    await stage.waitFor("the disconnect", () => (call.said.includes("disconnected") ? true : undefined));
    stage.release();
    await stage.ended(call);
    expect((await ask(headrace.port, "GET", "/hello")).status).toBe(200);
  });

  test("whose client leaves keeps its slot until the app is done", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--concurrency", "1", "--gateways", "1"],
      env: stage.env,
    });
    using leaver = await RawClient.open(headrace.port);
    leaver.request("GET", "/stage?key=leaver");
    const call = await stage.begun("leaver");
    leaver.close();
    await stage.waitFor("the disconnect", () => (call.said.includes("disconnected") ? true : undefined));
    const next = hold(headrace, "next");
    await waiting(headrace, 1);
    expect(stage.running().map(({ key }) => key)).toEqual(["leaver"]);
    stage.release();
    expect((await next).status).toBe(200);
  });
});

describe("classes of requests", () => {
  test("go in their order: by path, and by a header where one is named", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: [
        ...["--concurrency", "1", "--gateways", "2", "--line-depth", "4"],
        ...["--priority", "/stage=bulk", "--priority-header", "X-Priority"],
      ],
      env: stage.env,
    });
    const as = (key: string, priority: string) =>
      ask(headrace.port, "GET", `/stage?key=${key}`, [`x-priority: ${priority}`]);
    const first = hold(headrace, "first");
    await stage.begun("first");
    const rest: Promise<Answer>[] = [];
    for (const [key, priority] of [
      ["bulk", "whatever"],
      ["plain", "default"],
      ["critical", "critical"],
    ] as const) {
      rest.push(as(key, priority));
      await waiting(headrace, rest.length);
    }
    stage.release();
    expect((await Promise.all([first, ...rest])).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(stage.calls.map(({ key }) => key)).toEqual(["first", "critical", "plain", "bulk"]);
  });

  test("the lowest makes room in a full line", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--concurrency", "1", "--gateways", "1", "--line-depth", "1", "--priority-header", "x-priority"],
      env: stage.env,
    });
    const as = (key: string, priority: string) =>
      ask(headrace.port, "GET", `/stage?key=${key}`, [`x-priority: ${priority}`]);
    const first = hold(headrace, "first");
    await stage.begun("first");
    const bulk = as("bulk", "bulk");
    await waiting(headrace, 1);
    const critical = as("critical", "critical");
    const displaced = await bulk;
    expect([displaced.status, values(displaced, "headrace-reason")]).toEqual([429, ["HR_LINE_FULL"]]);
    stage.release();
    expect([(await first).status, (await critical).status]).toEqual([200, 200]);
    expect(stage.calls.map(({ key }) => key)).toEqual(["first", "critical"]);
  });
});

describe("a client's own time", () => {
  test("is kept: what waits longer is answered with 504, and never begun", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--concurrency", "1", "--gateways", "1"],
      env: stage.env,
    });
    const first = hold(headrace, "first");
    await stage.begun("first");
    const late = await ask(headrace.port, "GET", "/stage?key=late", ["x-request-timeout: 150ms"]);
    expect([late.status, values(late, "headrace-reason")]).toEqual([504, ["HR_DEADLINE"]]);
    stage.release();
    expect((await first).status).toBe(200);
    expect(stage.calls.map(({ key }) => key)).toEqual(["first"]);
  });
});
