import { expect, test } from "bun:test";
import { ManualClock } from "../base/clock.ts";
import type { ControlServer, ControlUser } from "./local/control.ts";
import type { Launcher, LaunchResult } from "./local/launcher.ts";
import { InstanceLimits } from "./local/limits.ts";
import type { LogServer } from "./local/logs.ts";
import { type Host, Member } from "./member.ts";
import type { PoolEvent } from "./ports.ts";
import { Kit } from "./testkit.ts";

test("an instance may be ready before its launcher has said that it runs: it is kept, with its process id", async () => {
  await using kit = new Kit("");
  const clock = new ManualClock();
  const events: PoolEvent[] = [];
  const launched = Promise.withResolvers<LaunchResult>();
  let user: ControlUser | undefined;
  const control = {
    path: "",
    expect: (_id: string, _token: string, _role: string, given: ControlUser) => {
      user = given;
      return { send: () => true, drop: () => {} };
    },
  };
  const logs = { path: "", expect: () => {}, forget: () => {} };
  const host: Host = {
    spec: kit.spec,
    ports: {
      clock,
      random: () => 0,
      rows: {
        acquire: () => ({ row: 0, tablePath: null, begunOffset: 0 }),
        close: () => {},
        inFlight: () => 0,
        served: () => 0,
        free: () => {},
      },
      routes: { publish: async () => {} },
      gatewayReleased: () => {},
      output: () => {},
      event: (event) => void events.push(event),
    },
    control: control as unknown as ControlServer,
    logs: logs as unknown as LogServer,
    zygotes: new Set(),
    limits: new InstanceLimits({ cpu: 0, memory: 0 }, () => {}),
    isStopping: () => false,
    sync: async () => {},
  };
  const launcher: Launcher = {
    level: "app",
    reasons: [],
    launch: () => launched.promise,
    close: async () => {},
  };
  const member = new Member(host, launcher, { id: "i-1", generation: 1, seat: 0 }, () => {});
  const started = member.start();
  user!.message({ type: "ready", interface: "asgi", python: "3.11", loop: "asyncio", phases: { boot: 1 } });
  expect(member.machine.state).toBe("starting");
  clock.advance(12);
  const never = new Promise<never>(() => {});
  const running = { pid: 4711, origin: "fork", launchMs: 2, exited: never, outputEnded: never } as const;
  launched.resolve({ kind: "running", running });
  expect(await started).toEqual({ kind: "ready" });
  expect(member.machine.state).toBe("ready");
  expect(events.filter(({ kind }) => kind === "killed")).toEqual([]);
  expect(events.find(({ kind }) => kind === "ready")).toMatchObject({
    pid: 4711,
    startMs: 12,
    phases: { fork: 11, boot: 1 },
  });
});
