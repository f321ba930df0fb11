/** What a sudden death costs: only the requests that the dead process had begun, only its own connections. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, ask, RawClient, values } from "./client.ts";
import { APPS, eventually, Headrace, linesOf, PATIENCE_MS, scratchFolder, soon } from "./harness.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 3);

const APP = join(APPS, "raw_asgi.py");

/** The process that forked this one. */
function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

interface Outcome {
  readonly key: string;
  /** 0 when the connection broke before an answer. */
  readonly status: number;
}

/** Clients that ask one request after the other, each with a key of its own, until told to stop. */
class Load {
  readonly outcomes: Outcome[] = [];
  #running = true;
  readonly #clients: Promise<void>[];
  #changed = Promise.withResolvers<void>();

  constructor(
    readonly headrace: Headrace,
    clients: number,
    readonly path = "/counted",
  ) {
    this.#clients = Array.from({ length: clients }, (_, client) => this.#client(client));
  }

  async #client(client: number): Promise<void> {
    let connection: RawClient | undefined;
    for (let n = 0; this.#running; n += 1) {
      const key = `${client}.${n}`;
      let status = 0;
      try {
        connection ??= await RawClient.open(this.headrace.port);
        const answer = await connection.request("GET", `${this.path}?key=${key}`).answer();
        status = answer.status;
        if (values(answer, "connection").includes("close")) {
          connection.close();
          connection = undefined;
        }
      } catch {
        connection?.close();
        connection = undefined;
      }
      this.outcomes.push({ key, status });
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
    connection?.close();
  }

  /** Waits until so many more requests were answered with 200. */
  async more(count: number): Promise<void> {
    const succeeded = () => this.outcomes.filter(({ status }) => status === 200).length;
    const goal = succeeded() + count;
    while (succeeded() < goal) await soon("answers", this.#changed.promise);
  }

  async end(): Promise<Outcome[]> {
    this.#running = false;
    await soon("the clients to end", Promise.all(this.#clients));
    return this.outcomes;
  }
}

describe("kill -9 of an instance under load", () => {
  test("fails only what it had begun, and it is replaced", async () => {
    using folder = scratchFolder();
    const begunLog = join(folder.path, "begun");
    await using headrace = await Headrace.start(APP, {
      args: ["--instances", "2", "--gateways", "2", "--concurrency", "8"],
      env: { BEGUN_LOG: begunLog },
    });
    const load = new Load(headrace, 24);
    await load.more(500);
    const victim = (await headrace.status()).instances[0];
    expect(victim).toBeDefined();
    process.kill(victim?.pid ?? 0, "SIGKILL");
    await load.more(500);
    await eventually("the replacement", async () => {
      const ready = (await headrace.status()).instances.filter(({ state }) => state === "ready");
      return ready.length === 2 && ready.every(({ pid }) => pid !== victim?.pid) ? true : undefined;
    });
    await load.more(500);
    const outcomes = await load.end();
    const failed = outcomes.filter(({ status }) => status !== 200);
    const begunOnVictim = new Set(
      linesOf(begunLog)
        .filter((line) => line.endsWith(` ${victim?.pid}`))
        .map((line) => line.split(" ")[0]),
    );
    expect(failed.filter(({ key }) => !begunOnVictim.has(key))).toEqual([]);
    expect(failed.every(({ status }) => status === 502)).toBe(true);
    expect(failed.length).toBeLessThanOrEqual(8);
    expect((await headrace.status()).instances.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  test("a request it had begun gets 502 with a reason, one that waits is served by the other", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--instances", "1", "--concurrency", "1", "--gateways", "1"],
      env: stage.env,
    });
    const begun = ask(headrace.port, "GET", "/stage?key=begun");
    const call = await stage.begun("begun");
    const behind = ask(headrace.port, "GET", "/stage?key=behind");
    await eventually("the line", async () =>
      (await headrace.status()).line.waiting === 1 ? true : undefined,
    );
    process.kill(call.pid, "SIGKILL");
    const lost = await begun;
    expect(lost.status).toBe(502);
    expect(values(lost, "headrace-reason")).toEqual(["HR_INSTANCE_LOST"]);
    const next = await stage.begun("behind");
    expect(next.pid).not.toBe(call.pid);
    stage.release();
    expect((await behind).status).toBe(200);
  });

  test("a response that was under way is cut, not ended", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, { args: ["--gateways", "1"], env: stage.env });
    using client = await RawClient.open(headrace.port);
    client.request("GET", "/stage?key=half&answer_first");
    const call = await stage.begun("half");
    expect((await client.head()).status).toBe(200);
    process.kill(call.pid, "SIGKILL");
    expect((await client.rest()).toString()).not.toContain("\r\n0\r\n\r\n");
  });
});

describe.skipIf(process.platform !== "linux")("kill -9 of a zygote under load", () => {
  test("takes its instances along, and costs no request that they had not begun", async () => {
    await using headrace = await Headrace.start(APP, {
      args: [
        "--instances",
        "8",
        "--gateways",
        "1",
        "--concurrency",
        "1",
        "--preload",
        "app",
        "--access-log",
        "off",
      ],
    });
    const load = new Load(headrace, 16, "/pid");
    // Twice within a minute: the second one finds no seat that was ever up for long.
    for (let round = 0; round < 2; round += 1) {
      await load.more(200);
      const before = (await headrace.status()).instances.map(({ pid }) => pid);
      process.kill(parentOf(before[0]!), "SIGKILL");
      await eventually("new instances", async () => {
        const ready = (await headrace.status()).instances.filter(({ state }) => state === "ready");
        return ready.length === 8 && ready.every(({ pid }) => !before.includes(pid)) ? true : undefined;
      });
    }
    await load.more(200);
    const failed = (await load.end()).filter(({ status }) => status !== 200);
    expect(failed.filter(({ status }) => status !== 502)).toEqual([]);
    expect(failed.length).toBeLessThanOrEqual(2 * 8);
    await headrace.output.waitFor("and its instances with it: 8");
    expect(headrace.output.lines().filter((line) => line.includes("pool.crash_loop"))).toEqual([]);
  });
});

describe("an app that ends its own process", () => {
  test("is replaced, and what waited is served", async () => {
    await using headrace = await Headrace.start(APP, { args: ["--instances", "1", "--gateways", "1"] });
    const before = (await headrace.status()).instances[0]?.pid;
    expect((await ask(headrace.port, "GET", "/exits")).status).toBe(502);
    const answer = await ask(headrace.port, "GET", "/pid");
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).not.toBe(String(before));
  });
});

describe("an instance that is stuck", () => {
  test("is recycled after the grace, with its stacks in the log", async () => {
    await using headrace = await Headrace.start(APP, {
      args: ["--instances", "1", "--gateways", "1", "--timeout", "300ms", "--timeout-grace", "300ms"],
    });
    const before = (await headrace.status()).instances[0]?.pid;
    expect((await ask(headrace.port, "GET", "/stuck")).status).toBe(504);
    await eventually("another instance", async () => {
      const [instance] = (await headrace.status()).instances.filter(({ state }) => state === "ready");
      return instance !== undefined && instance.pid !== before ? true : undefined;
    });
    await headrace.output.waitFor(/in stuck/);
    expect((await ask(headrace.port, "GET", "/hello")).status).toBe(200);
  });
});

describe("kill -9 of a gateway", () => {
  test("costs its own connections only; it is replaced and its slots come back", async () => {
    using stage = await Stage.open();
    await using headrace = await Headrace.start(APP, {
      args: ["--gateways", "2", "--instances", "1", "--concurrency", "40"],
      env: stage.env,
    });
    const clients = await Promise.all(Array.from({ length: 32 }, () => RawClient.open(headrace.port)));
    const answers = clients.map((client, n) =>
      client
        .request("GET", `/stage?key=${n}`)
        .answer()
        .then((answer: Answer) => answer.status)
        .catch(() => 0),
    );
    await stage.waitFor("all calls", () => (stage.running().length === 32 ? true : undefined));
    const gateways = (await headrace.status()).gateways;
    expect(gateways.length).toBe(2);
    const [victim, other] = gateways;
    process.kill(victim?.pid ?? 0, "SIGKILL");
    await eventually("another gateway", async () => {
      const ready = (await headrace.status()).gateways.filter(({ state }) => state === "ready");
      return ready.length === 2 && ready.every(({ pid }) => pid !== victim?.pid) ? true : undefined;
    });
    stage.release();
    const statuses = await Promise.all(answers);
    expect(statuses.filter((status) => status === 200).length).toBe(other?.inFlight ?? -1);
    expect(statuses.filter((status) => status === 0).length).toBe(victim?.inFlight ?? -1);
    for (const client of clients) client.close();
    await eventually("all slots to be free", async () =>
      (await headrace.status()).instances.every(({ inFlight }) => inFlight === 0) ? true : undefined,
    );
    const again = await Promise.all(
      Array.from({ length: 40 }, (_, n) => ask(headrace.port, "GET", `/stage?key=again${n}`)),
    );
    expect(again.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe("kill -9 of the supervisor", () => {
  test("takes every process along", async () => {
    const headrace = await Headrace.start(APP, { args: ["--gateways", "2", "--instances", "3"] });
    expect(headrace.processes().length).toBeGreaterThanOrEqual(6);
    await headrace.kill();
    expect(headrace.processes()).toEqual([]);
  });

  test("also with a stuck app", async () => {
    const headrace = await Headrace.start(APP, { args: ["--gateways", "1", "--instances", "1"] });
    using client = await RawClient.open(headrace.port);
    client.request("GET", "/stuck");
    await eventually("the call", async () =>
      (await headrace.status()).instances[0]?.inFlight === 1 ? true : undefined,
    );
    await headrace.kill();
    expect(headrace.processes()).toEqual([]);
  });
});
