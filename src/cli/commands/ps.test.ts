import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureRunDir, type RunState, startTicks, writeRunState } from "../../config/rundir.ts";
import type { StatusReport } from "../../model/instance.ts";
import { memoryIo } from "../testing.ts";
import { type Answer, ps, psJson, psText } from "./ps.ts";

const state: RunState = {
  pid: process.pid,
  startTicks: startTicks(process.pid) ?? 0,
  service: "shop",
  app: "shop/main.py",
  url: "http://127.0.0.1:8080",
  adminUrl: "http://127.0.0.1:8081",
  startedAt: 0,
};

const instance = {
  id: "i-abc",
  service: "shop",
  revision: "shop-1",
  state: "ready",
  pid: 4242,
  origin: "fork",
  ageMs: 3_725_000,
  inFlight: 3,
  slots: 80,
  served: 123_456,
  memoryBytes: 33_000_000,
  cpuMs: 61_500,
  cpuShare: 0.415,
  phases: { fork: 2 },
} as const;

const status: StatusReport = {
  version: "0.1.0",
  service: "shop",
  revision: "rev-1",
  app: "shop/main.py",
  interface: "asgi",
  url: "http://127.0.0.1:8080",
  pid: 4000,
  uptimeMs: 3_800_000,
  ready: true,
  stopped: false,
  preload: { level: "imports", reasons: ["a thread runs"] },
  concurrency: 80,
  measured: null,
  limits: [],
  scaling: null,
  line: { waiting: 2, depth: 1_600 },
  revisions: [{ revision: "rev-1", weight: 100, tags: [], shadow: 0, instances: 1 }],
  rollout: null,
  gateways: [
    {
      id: 1,
      pid: 4001,
      state: "ready",
      ageMs: 3_799_000,
      connections: 64,
      inFlight: 5,
      waiting: 2,
      memoryBytes: 41_000_000,
      cpuMs: 9_000,
    },
  ],
  instances: [
    instance,
    {
      ...instance,
      id: "i-longer-name",
      state: "starting",
      pid: 77,
      ageMs: 120,
      inFlight: 0,
      served: 0,
      memoryBytes: 0,
      cpuShare: 0,
      cpuMs: 0,
    },
  ],
};

test("a table for people", () => {
  expect(
    psText([{ state, status }]),
  ).toBe(`shop  rev-1  http://127.0.0.1:8080  shop/main.py (asgi)  pid 4000  up 1h3m
INSTANCE       STATE      PID    AGE  IN FLIGHT  SERVED   MEMORY  CPU  CPU TIME
i-abc          ready     4242   1h2m       3/80  123456  31.5MiB  42%      1m2s
i-longer-name  starting    77  120ms       0/80       0        -   0%       0µs
GATEWAY  STATE   PID   AGE  IN FLIGHT  WAITING  CONNECTIONS   MEMORY  CPU TIME
1        ready  4001  1h3m          5        2           64  39.1MiB        9s
line: 2 of 1600 waiting  preload: imports
`);
});

test("several Headraces, one of which does not answer, one of which is not ready", () => {
  const answers: Answer[] = [
    { state, why: "it did not answer within 3s" },
    { state, status: { ...status, ready: false, interface: "", instances: [], gateways: [] } },
  ];
  expect(psText(answers)).toBe(`shop  http://127.0.0.1:8080  shop/main.py  pid ${process.pid}
  No status: it did not answer within 3s.

shop  rev-1  http://127.0.0.1:8080  shop/main.py  pid 4000  NOT READY  up 1h3m
INSTANCE  STATE  PID  AGE  IN FLIGHT  SERVED  MEMORY  CPU  CPU TIME
GATEWAY  STATE  PID  AGE  IN FLIGHT  WAITING  CONNECTIONS  MEMORY  CPU TIME
line: 2 of 1600 waiting  preload: imports
`);
});

test("why: where the time of each start went", () => {
  const phases = { fork: 0.912, boot: 2, lifespan: 1830.04 };
  const instances = [
    { ...instance, phases },
    { ...instance, id: "i-new", phases: {} },
  ];
  const lines = psText([{ state, status: { ...status, instances }, decisions: [] }]).split("\n");
  expect(lines[1]).toEndWith("  START");
  expect(lines[2]).toEndWith("  fork 912µs, boot 2ms, lifespan 1.8s");
  expect(lines[3]).toEndWith("  -");
});

test("JSON for programs is always an array, and tells what did not answer", () => {
  expect(JSON.parse(psJson([]))).toEqual([]);
  const answers: Answer[] = [
    { state, status },
    { state, why: "no" },
  ];
  const { pid, service, app, url, adminUrl } = state;
  expect(JSON.parse(psJson(answers))).toEqual([
    { ...status, adminUrl },
    { pid, service, app, url, adminUrl, error: "no" },
  ]);
});

test("why: the decisions, with what was seen, done and said", () => {
  const scaling = { minInstances: 0, maxInstances: 50, desired: 3, panicking: true };
  const seen = { ready: 1, starting: 0, running: 80, waiting: 12.345, refused: 0, panicking: true };
  const about = { at: Date.now() - 12_000, seen, desired: 3 };
  const why = ["92 requests want 2", "panic begins"];
  const answer: Answer = {
    state,
    status: { ...status, scaling, instances: [], gateways: [] },
    decisions: [
      { ...about, trigger: "burst", action: "start", count: 2, rule: "burst", why },
      { ...about, trigger: "tick", action: "hold", count: 0, rule: "panic_hold", why: [] },
    ],
  };
  const text = psText([answer]);
  expect(text).toContain("instances: 3 of 0 to 50, panic  line: 2 of 1600 waiting");
  expect(text).toEndWith(`
12s ago      start 2 -> 3  rule burst
             saw 1 ready, 0 starting; 80 running, 12.35 waiting, 0 refused; in panic
             92 requests want 2
             panic begins
12s ago      hold 3  rule panic_hold, at a tick
             saw 1 ready, 0 starting; 80 running, 12.35 waiting, 0 refused; in panic
`);
  expect(psText([{ state, status, decisions: [] }])).toEndWith("fixed: nothing is decided.\n");
  expect(JSON.parse(psJson([answer]))[0].decisions.length).toBe(2);
});

let parent: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "headrace-ps-"));
});

afterEach(() => rmSync(parent, { recursive: true }));

test("asks every Headrace of this user at once, for all of its services", async () => {
  const services = [status, { ...status, service: "site" }];
  const answer = (request: Request) => Response.json(request.url.endsWith("/v1/services") ? services : []);
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  try {
    const dir = ensureRunDir({ XDG_RUNTIME_DIR: parent });
    writeRunState(dir, { ...state, adminUrl: `http://127.0.0.1:${server.port}` });
    const io = memoryIo({ env: { XDG_RUNTIME_DIR: parent } });
    expect(await ps(["--json"], io)).toBe(0);
    expect(JSON.parse(io.written.out)).toMatchObject([{ service: "shop", pid: 4000 }, { service: "site" }]);
    const text = memoryIo({ env: { XDG_RUNTIME_DIR: parent } });
    expect(await ps(["--why"], text)).toBe(0);
    // The gateways are there for both.
    expect(text.written.out.split("GATEWAY").length).toBe(2);
  } finally {
    await server.stop(true);
  }
});

test("one that cannot be asked is shown, and is an error", async () => {
  const dir = ensureRunDir({ XDG_RUNTIME_DIR: parent });
  writeRunState(dir, { ...state, adminUrl: "" });
  const io = memoryIo({ env: { XDG_RUNTIME_DIR: parent } });
  expect(await ps([], io)).toBe(1);
  expect(io.written.out).toContain("No status: its admin port is off (--no-admin).");
});

test("none at all is said, and is no error", async () => {
  const io = memoryIo({ env: { XDG_RUNTIME_DIR: parent } });
  expect(await ps([], io)).toBe(0);
  expect(io.written.out).toBe("No Headrace of this user runs here. Start one: headrace run main.py\n");
});

test("wrong flags and too many words", async () => {
  const io = memoryIo({ env: { XDG_RUNTIME_DIR: parent } });
  expect(await ps(["--jsno", "--json", "all"], io)).toBe(2);
  expect(io.written.err).toBe(`headrace: --jsno: There is no such flag. Write --json.
headrace: "all" is too much. Write headrace ps.
`);
});

test("the revisions that share the requests stand in the head, all of them", () => {
  const share = (revision: string, weight: number) => ({
    revision,
    weight,
    tags: [],
    shadow: 0,
    instances: 1,
  });
  const head = (...revisions: readonly ReturnType<typeof share>[]) =>
    psText([{ state, status: { ...status, revisions } }]).split("\n")[0];
  expect(head(share("rev-3", 0), share("rev-2", 40), share("rev-1", 60))).toStartWith(
    "shop  rev-2, rev-1  http",
  );
  expect(head(share("rev-3", 0), share("rev-1", 100))).toStartWith("shop  rev-1  http");
});
