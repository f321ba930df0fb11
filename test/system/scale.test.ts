/** Instances come and go with the requests: to zero and back, at once for a line, and without a request that fails. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { DecisionReport } from "../../src/model/scaling.ts";
import { ask, RawClient, values } from "./client.ts";
import { APPS, command, eventually, Headrace, PATIENCE_MS, scratchFolder } from "./harness.ts";
import { Load } from "./load.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const APP = join(APPS, "raw_asgi.py");
/** Where running Headraces leave their note for ps; one of our own, so that nobody else's is seen. */
const notes = scratchFolder();
const noted = { XDG_RUNTIME_DIR: notes.path };

afterAll(() => notes[Symbol.dispose]());

/** The shortest idle time that there is. */
const BRIEF = ["--scale-to-zero-after", "6s"];

async function instances(headrace: Headrace, count: number): Promise<void> {
  await eventually(`${count} instances`, async () => {
    const { instances } = await headrace.status();
    return instances.length === count && instances.every(({ state }) => state === "ready") ? true : undefined;
  });
}

async function decisions(headrace: Headrace): Promise<readonly DecisionReport[]> {
  return (await (await fetch(`${headrace.adminUrl}/v1/decisions`)).json()) as DecisionReport[];
}

async function metric(headrace: Headrace, name: string): Promise<number> {
  const line = (await headrace.metrics()).split("\n").find((text) => text.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

test("--concurrency auto finds how many requests an instance can do at a time, and says why", async () => {
  await using headrace = await Headrace.start(join(APPS, "knee.py"), {
    args: ["--concurrency", "auto", "--gateways", "2", "--log-format", "json"],
    env: noted,
  });
  expect(await headrace.status()).toMatchObject({ concurrency: 20, measured: "" });
  const load = new Load(headrace.port, 40, () => "/");
  // A window is a second, and a step takes four of them; on a busy machine some show nothing.
  const settled = async () => {
    const status = await headrace.status();
    return status.concurrency <= 17 ? status : undefined;
  };
  const { concurrency, measured } = await eventually("a lower limit", settled, 3 * PATIENCE_MS);
  expect(concurrency).toBeGreaterThanOrEqual(5);
  expect(measured).toMatch(
    /^(fewer slots do as much|\d+ slots stay|more slots do more): \d+ requests\/s at \d+, \d+ at \d+$/,
  );
  await headrace.fetch("/peak");
  const before = load.answered;
  await eventually("more answers", () => (load.answered > before + 200 ? true : undefined));
  // A trial may take a fifth more, and the question itself is one.
  expect(Number(await (await headrace.fetch("/peak")).text())).toBeLessThanOrEqual(21);
  await load.stop();
  expect(load.wrong).toEqual([]);
  const shown = await command(["ps"], { env: noted });
  expect(shown.stdout).toMatch(/slots: \d+ \(auto: /);
  expect(headrace.output.text).toContain("autoscaler.concurrency");
});

test("--concurrency auto is measured beside the autoscaler, which starts instances before anything is full", async () => {
  await using headrace = await Headrace.start(join(APPS, "knee.py"), {
    args: ["--concurrency", "auto", "--max-instances", "8", "--gateways", "2"],
    env: { KNEE_SLOTS: "500", KNEE_SECONDS: "0.1" },
  });
  const load = new Load(headrace.port, 60, () => "/");
  const grown = async () => {
    const status = await headrace.status();
    return status.concurrency >= 24 ? status : undefined;
  };
  const { measured } = await eventually("a higher limit", grown, 3 * PATIENCE_MS);
  expect(measured).toMatch(
    /^more slots do more: \d+ requests\/s of an instance with \d+ in flight, \d+ with \d+$/,
  );
  // Those that got nothing for a window have slots again, and all of it went unnoticed.
  await load.stop();
  expect(load.wrong).toEqual([]);
  const { instances } = await headrace.status();
  expect(instances.length).toBeGreaterThanOrEqual(2);
});

test("a response says what the start of an instance cost it, when that is asked for", async () => {
  await using headrace = await Headrace.start(APP, {
    args: ["--min-instances", "0", "--server-timing", ...BRIEF],
    env: noted,
  });
  await instances(headrace, 0);
  const timing = async () => values(await ask(headrace.port, "GET", "/"), "server-timing");
  const [cold] = await timing();
  expect(cold).toMatch(
    /^wait;dur=[\d.]+, fork;dur=[\d.]+, boot;dur=[\d.]+, (import;dur=[\d.]+, )?lifespan;dur=[\d.]+, app;dur=[\d.]+$/,
  );
  expect(await timing()).toEqual([expect.stringMatching(/^wait;dur=[\d.]+, app;dur=[\d.]+$/)]);
  const metrics = await headrace.metrics();
  expect(metrics).toMatch(/^headrace_cold_request_first_byte_seconds_count 1$/m);
  expect(metrics).toMatch(/^headrace_cold_request_wait_seconds_count 1$/m);
  // One at the start, one for the request.
  for (const phase of ["fork", "boot", "lifespan"]) {
    expect(metrics).toContain(`headrace_instance_start_seconds_count{phase="${phase}"} 2`);
  }
});

test("a service goes to zero when it is idle, and the first request brings it back", async () => {
  await using headrace = await Headrace.start(APP, {
    args: ["--min-instances", "0", "--max-instances", "4", "--health-path", "/healthz", ...BRIEF],
    env: noted,
  });
  for (let round = 1; round <= 2; round++) {
    await instances(headrace, 0);
    // It can take requests: they wake it.
    expect((await fetch(`${headrace.adminUrl}/readyz`)).status).toBe(200);
    expect(await headrace.status()).toMatchObject({
      ready: true,
      interface: "asgi",
      scaling: { desired: 0 },
    });
    // A request that needs no slot is no exception.
    const path = round === 1 ? "/hello" : "/healthz";
    const woken = await ask(headrace.port, "GET", path);
    expect([woken.status, woken.body.toString()]).toEqual([200, "Hello, world!"]);
    expect(await metric(headrace, "headrace_cold_starts_total")).toBe(round);
    expect(await metric(headrace, "headrace_wake_duration_seconds_count")).toBe(round);
    await instances(headrace, 1);
  }
  const rules = (await decisions(headrace)).filter(({ action }) => action !== "hold");
  expect(rules.map(({ rule, desired }) => `${rule} ${desired}`)).toEqual([
    "zero 0",
    "burst 1",
    "zero 0",
    "burst 1",
  ]);
  const shown = await command(["ps", "--why"], { env: noted });
  expect(shown.stdout).toContain("start 1 -> 1");
  expect(shown.stdout).toContain("woken from zero");
  expect(shown.stdout).toContain("idle for the grace period: to zero");
  expect(shown.status).toBe(0);
  const [known] = JSON.parse((await command(["ps", "--why", "--json"], { env: noted })).stdout);
  expect(known.decisions.length).toBeGreaterThanOrEqual(4);
  expect(headrace.output.text).toContain("autoscaler.scaled");
});

test("many requests at once for a service at zero are all answered", async () => {
  await using headrace = await Headrace.start(APP, {
    args: ["--min-instances", "0", "--max-instances", "4", "--concurrency", "4", ...BRIEF],
  });
  await instances(headrace, 0);
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => ask(headrace.port, "GET", "/hello", ["Connection: close"])),
  );
  expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
  expect(await metric(headrace, "headrace_cold_starts_total")).toBe(1);
});

test("a line starts as many instances as it takes, at once, and no more", async () => {
  using stage = await Stage.open();
  await using headrace = await Headrace.start(APP, {
    args: ["--max-instances", "8", "--concurrency", "2", "--scale-target", "100%", "--gateways", "2"],
    env: stage.env,
  });
  const held = Array.from({ length: 10 }, (_, n) => ask(headrace.port, "GET", `/stage?key=${n}`));
  await stage.waitFor("all to run at once", () => (stage.running().length === 10 ? true : undefined));
  await instances(headrace, 5);
  expect([...stage.peakByPid.values()]).toEqual([2, 2, 2, 2, 2]);
  const taken = await decisions(headrace);
  const started = taken.filter(({ action }) => action === "start");
  expect(started[0]?.trigger).toBe("burst");
  for (const { desired, seen, trigger } of started) {
    expect(desired).toBeLessThanOrEqual(5);
    if (trigger !== "burst") continue;
    expect(desired).toBeLessThanOrEqual(Math.ceil((seen.running + seen.waiting + seen.refused) / 2));
  }
  expect(started.at(-1)?.desired).toBe(5);
  // Beyond the most there may be, requests wait.
  const more = Array.from({ length: 10 }, (_, n) => ask(headrace.port, "GET", `/stage?key=more${n}`));
  await stage.waitFor("all slots to be taken", () => (stage.running().length === 16 ? true : undefined));
  await eventually("the rest to wait", async () =>
    (await headrace.status()).line.waiting === 4 ? true : undefined,
  );
  stage.release();
  const answers = await Promise.all([...held, ...more]);
  expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
  expect(stage.peak).toBe(16);
});

test("requests that are refused for want of a line wake a service as well", async () => {
  await using headrace = await Headrace.start(APP, {
    args: ["--min-instances", "0", "--max-instances", "4", "--line-depth", "0", ...BRIEF],
  });
  await instances(headrace, 0);
  const refused = await ask(headrace.port, "GET", "/hello");
  expect(values(refused, "headrace-reason")).toEqual(["HR_LINE_FULL"]);
  await eventually("an answer", async () =>
    (await ask(headrace.port, "GET", "/hello")).status === 200 ? true : undefined,
  );
});

describe("instances that come and go under load", () => {
  test("fail no request", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: [
        ...["--min-instances", "1", "--max-instances", "6", "--stable-window", "6s"],
        ...["--concurrency", "8", "--scale-target", "100%", "--gateways", "2", "--access-log", "off"],
      ],
      env: stage.env,
    });
    const statuses = new Map<number, number>();
    let running = true;
    const client = async () => {
      using connection = await RawClient.open(headrace.port);
      while (running) {
        const { status } = await connection.request("GET", "/hello").answer();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const clients = Promise.all(Array.from({ length: 4 }, client));
    const pulses = async () => {
      for (let pulse = 0; pulse < 2; pulse++) {
        const held = Array.from({ length: 36 }, (_, n) =>
          ask(headrace.port, "GET", `/stage?key=${pulse}.${n}`),
        );
        await stage.waitFor("a pulse to run", () => (stage.running().length === 36 ? true : undefined));
        expect((await headrace.status()).instances.length).toBeGreaterThanOrEqual(5);
        for (const call of stage.running()) call.tell("go");
        expect((await Promise.all(held)).every(({ status }) => status === 200)).toBe(true);
        await instances(headrace, 1);
      }
    };
    await Promise.race([pulses(), clients]).finally(() => {
      running = false;
    });
    await clients;
    expect([...statuses.keys()]).toEqual([200]);
    expect(statuses.get(200)).toBeGreaterThan(2_000);
    const stopped = (await decisions(headrace)).filter(({ action }) => action === "stop");
    expect(stopped.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(8);
  });
});
