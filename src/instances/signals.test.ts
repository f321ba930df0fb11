import { expect, test } from "bun:test";
import { plainFailure } from "./errors.ts";
import type { PoolEvent } from "./ports.ts";
import { events, logRecord } from "./signals.ts";

const failure = { ...plainFailure("app_exited", "It ended."), traceback: "Traceback …" };
const exit = { status: null, signal: "SIGKILL" };

/** One of each kind: the type makes this list complete. */
const samples: { readonly [K in PoolEvent["kind"]]: Extract<PoolEvent, { kind: K }> } = {
  state: { kind: "state", instance: "i-1", generation: 1, from: "starting", to: "ready", why: "it is" },
  started: { kind: "started", instance: "i-1", pid: 7, origin: "fork" },
  ready: { kind: "ready", instance: "i-1", pid: 7, origin: "fork", startMs: 12.4, phases: { fork: 1 } },
  crashed: { kind: "crashed", instance: "i-1", pid: 7, exit, uptimeMs: 5, output: ["a", "b"] },
  "start-failed": { kind: "start-failed", instance: "i-1", failure },
  restart: { kind: "restart", seat: 0, instance: "i-1", delayMs: 250, reasons: ["crash 2"] },
  "crash-loop": { kind: "crash-loop", crashes: 5, windowMs: 60_000 },
  preload: { kind: "preload", level: "imports", reasons: ["reporter: a thread"], startMs: 80 },
  "zygote-exited": { kind: "zygote-exited", zygote: "z-1", exit, instances: 12 },
  "reload-started": { kind: "reload-started", generation: 2 },
  "reload-done": { kind: "reload-done", generation: 2, ms: 50.2 },
  "reload-failed": { kind: "reload-failed", generation: 2, failure },
  recycled: { kind: "recycled", instance: "i-1", reason: "it grew" },
  "recycle-failed": { kind: "recycle-failed", instance: "i-1", failure },
  stuck: { kind: "stuck", instance: "i-1", reason: "a request", graceMs: 5000 },
  "drain-over": { kind: "drain-over", instance: "i-1", inFlight: 3, drainMs: 100 },
  killed: { kind: "killed", instance: "i-1", pid: 7, why: "it hangs" },
  "publish-failed": { kind: "publish-failed", message: "No gateway answered." },
  "limit-refused": { kind: "limit-refused", why: "i-1 has no limit of cpu: EACCES" },
  "control-refused": { kind: "control-refused", why: "wrong token" },
};

for (const sample of Object.values(samples)) {
  test(`${sample.kind} is one record under a declared name`, () => {
    const record = logRecord(sample, 1234);
    expect(record.time).toBe(1234);
    expect(Object.keys(events)).toContain(record.event);
    expect(record.level).toBe(events[record.event as keyof typeof events].level);
    expect(record.message.length).toBeGreaterThan(10);
    if ("instance" in sample) expect(record.fields["instance"]).toBe("i-1");
  });
}

test("every declared name is used", () => {
  const used = new Set(Object.values(samples).map((sample) => logRecord(sample, 0).event));
  expect([...used].sort()).toEqual(Object.keys(events).sort());
});

test("a failed start carries its traceback, a crash its last lines and signal", () => {
  expect(logRecord(samples["start-failed"], 0).fields["traceback"]).toBe("Traceback …");
  expect(logRecord(samples.crashed, 0)).toMatchObject({
    message: "i-1 crashed with signal SIGKILL",
    fields: { output: "a\nb", exit_signal: "SIGKILL" },
  });
  expect(logRecord({ ...samples.crashed, exit: { ...exit, zygote: "z-1" } }, 0)).toMatchObject({
    message: "i-1 ended because its zygote z-1 did",
    fields: { zygote: "z-1" },
  });
});
