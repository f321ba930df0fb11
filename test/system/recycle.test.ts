/** Instances are replaced, come and go under constant load, and no request fails for it. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { APPS, command, eventually, Headrace, PATIENCE_MS, scratchFolder, soon } from "./harness.ts";
import { Load } from "./load.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const APP = join(APPS, "leaky.py");

async function recycled(headrace: Headrace, count: number, why: RegExp): Promise<void> {
  await eventually(`${count} replacements`, () => {
    const found = headrace.output.text.split("\n").filter((line) => line.includes("instance.recycled"));
    return found.filter((line) => why.test(line)).length >= count ? true : undefined;
  });
}

test("an instance that is replaced keeps its requests longer than the drain time, and its WebSockets as long as that", async () => {
  using stage = await Stage.open();
  await using headrace = await Headrace.start(join(APPS, "raw_asgi.py"), {
    args: ["--drain-timeout", "300ms", "--gateways", "1"],
    env: stage.env,
  });
  const { instances } = await headrace.status();
  const held = headrace.fetch("/stage?key=held");
  await stage.begun("held");
  const socket = new WebSocket(`ws://127.0.0.1:${headrace.port}/ws`);
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
  await soon("the open", new Promise((resolve) => socket.addEventListener("open", resolve)));
  await fetch(`${headrace.adminUrl}/v1/instances/${instances[0]!.id}/restart`, { method: "POST" });
  expect((await soon("the close", closed)).code).toBe(1012);
  stage.release();
  expect((await held).status).toBe(200);
  expect(headrace.output.lines().filter((line) => line.includes("instance.drain_over"))).toEqual([]);
});

describe("under load", () => {
  test("an instance that grows over its memory is replaced, and every request is answered", async () => {
    using notes = scratchFolder();
    await using headrace = await Headrace.start(APP, {
      args: ["--instances", "2", "--memory", "128MiB", "--cpu", "2", "--log-format", "json"],
      env: { XDG_RUNTIME_DIR: notes.path },
    });
    const { limits } = await headrace.status();
    expect(limits.map(({ resource, limit }) => [resource, limit])).toEqual([
      ["cpu", 2],
      ["memory", 128 * 2 ** 20],
    ]);
    for (const { by, why } of limits) expect(by.startsWith("cgroup") || why !== "").toBe(true);
    const shown = await command(["ps"], { env: { XDG_RUNTIME_DIR: notes.path } });
    expect(shown.stdout).toMatch(
      /limit: 2 cpu \((cgroup v[12]|not held)\) {2}limit: 128MiB memory \((cgroup v[12]|rlimit)\)/,
    );
    // About twenty MiB a second for each.
    let keepAt = 0;
    const load = new Load(headrace.port, 4, () => {
      if (Date.now() < keepAt) return "/";
      keepAt = Date.now() + 100;
      return "/keep?mb=4";
    });
    await recycled(headrace, 2, /its memory is 1\d\dMiB, over 115MiB/);
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect(load.bodies.size).toBeGreaterThanOrEqual(3);
    for (const { memoryBytes } of (await headrace.status()).instances) {
      expect(memoryBytes).toBeLessThan(128 * 2 ** 20);
    }
  });

  test("one that takes far more at once is ended by the system, and the log says why", async () => {
    await using headrace = await Headrace.start(APP, {
      args: ["--memory", "128MiB", "--log-format", "json", "--concurrency", "1"],
    });
    const { limits } = await headrace.status();
    const held = limits[0]!.by.startsWith("cgroup");
    const answer = await headrace.fetch("/keep?mb=600");
    // A limit of the process itself makes the app fail, not the process.
    expect(answer.status).toBe(held ? 502 : 500);
    if (held) {
      await eventually("the reason", () =>
        /instance.crashed.*by the kernel: it was over its memory/.test(headrace.output.text)
          ? true
          : undefined,
      );
    }
    expect((await headrace.fetch("/")).status).toBe(200);
  });

  test("recycling, scaling and reloads lose nothing", async () => {
    await using headrace = await Headrace.start(APP, {
      args: [
        ...["--min-instances", "1", "--max-instances", "6", "--concurrency", "2", "--stable-window", "6s"],
        ...["--max-requests", "300", "--max-requests-jitter", "200", "--max-instance-age", "3s"],
        ...["--log-format", "json", "--gateways", "2"],
      ],
    });
    const load = new Load(headrace.port, 12, () => "/");
    for (let round = 0; round < 4; round++) {
      const before = load.answered;
      const reload = await fetch(`${headrace.adminUrl}/v1/reload`, { method: "POST" });
      expect(reload.status).toBe(200);
      const { instances } = await headrace.status();
      const some = instances.find(({ state }) => state === "ready");
      await fetch(`${headrace.adminUrl}/v1/instances/${some?.id}/restart`, { method: "POST" });
      await eventually("more answers", () => (load.answered > before + 500 ? true : undefined));
    }
    await recycled(headrace, 4, /it has served \d+ requests|it is [\d.]+m?s old/);
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect(load.bodies.size).toBeGreaterThanOrEqual(8);
    expect(headrace.output.text).not.toContain("instance.crashed");
  });
});
