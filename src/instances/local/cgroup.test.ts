/** The layout of control groups, in a folder that stands for the kernel's. */

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CgroupPlaces, InstanceGroup, openCgroup, systemPlaces } from "./cgroup.ts";
import { InstanceLimits } from "./limits.ts";

const scratch = mkdtempSync(join(tmpdir(), "headrace-cgroup-"));
afterAll(() => rmSync(scratch, { recursive: true }));

let places: CgroupPlaces;
let count = 0;

beforeEach(() => {
  const root = join(scratch, String(count++));
  mkdirSync(root);
  places = { root, self: join(root, "self"), pid: 42, group: "headrace-42" };
});

const put = (path: string, content: string): void => {
  mkdirSync(join(places.root, path, ".."), { recursive: true });
  writeFileSync(join(places.root, path), content);
};
const get = (path: string): string => readFileSync(join(places.root, path), "utf8");

for (const [version, base, files] of [
  [
    "2",
    "app",
    { self: "0::/app\n", "app/cgroup.controllers": "cpu\n", "app/cgroup.subtree_control": "cpu\n" },
  ],
  ["1", "cpu/app", { self: "3:cpu:/app\n" }],
] as const) {
  test(`version ${version}: groups of those who were killed are removed, those of the living and of others stay`, () => {
    for (const [path, content] of Object.entries(files)) put(path, content);
    const dead = Bun.spawnSync(["true"]).pid;
    const folder = (name: string) => mkdirSync(join(places.root, base, name), { recursive: true });
    for (const name of [`headrace-${dead}-a/i-1`, `headrace-${dead}-supervisor`]) folder(name);
    // What is not empty has processes: the system does not let it go, as it does not let go of a folder with a file.
    put(`${base}/headrace-${dead}-b/i-2/cgroup.procs`, "7\n");
    for (const name of [`headrace-${process.pid}-c`, "other"]) folder(name);
    expect(openCgroup("cpu", places).kind).toBe("available");
    expect(
      readdirSync(join(places.root, base))
        .filter((name) => !name.startsWith("cgroup."))
        .sort(),
    ).toEqual([`headrace-${dead}-b`, `headrace-${process.pid}-c`, "headrace-42", "other"].sort());
  });
}

describe("version 2", () => {
  beforeEach(() => {
    put("self", "0::/app\n");
    put("app/cgroup.controllers", "cpu memory pids\n");
    put("app/cgroup.subtree_control", "cpu memory\n");
    put("app/cgroup.procs", "42\n");
  });

  test("has a group for us, and one in it for each instance, with its limits", () => {
    const opened = openCgroup("memory", places);
    if (opened.kind !== "available") throw new Error(opened.why);
    expect(opened.hierarchy.version).toBe("cgroup v2");
    expect(get("app/headrace-42/cgroup.subtree_control")).toBe("+memory");
    const group = new InstanceGroup(opened.hierarchy, "i-1");
    group.hold(7, { memory: 256 * 2 ** 20 });
    expect(get("app/headrace-42/i-1/memory.max")).toBe("268435456");
    expect(get("app/headrace-42/i-1/cgroup.procs")).toBe("7");
    expect(group.oomKills()).toBe(0);
    put("app/headrace-42/i-1/memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\n");
    expect(group.oomKills()).toBe(1);
  });

  test("writes half a core as half of each period", () => {
    const opened = openCgroup("cpu", places);
    if (opened.kind !== "available") throw new Error(opened.why);
    new InstanceGroup(opened.hierarchy, "i-2").hold(8, { cpu: 0.5 });
    expect(get("app/headrace-42/i-2/cpu.max")).toBe("50000 100000");
  });

  test("without the controller is not taken", () => {
    put("app/cgroup.controllers", "pids\n");
    expect(openCgroup("memory", places)).toEqual({
      kind: "unavailable",
      why: "this system has no control groups",
    });
  });
});

describe("version 1", () => {
  beforeEach(() => {
    put("self", "4:memory:/box\n3:cpu,cpuacct:/\n0::/\n");
    mkdirSync(join(places.root, "memory/box"), { recursive: true });
    mkdirSync(join(places.root, "cpu,cpuacct"), { recursive: true });
  });

  test("has a hierarchy for each controller, under whatever name it is mounted", () => {
    const limits = new InstanceLimits(
      { cpu: 1.5, memory: 64 * 2 ** 20 },
      (why) => expect(why).toBe(""),
      places,
    );
    expect(limits.report.map(({ resource, by }) => `${resource} ${by}`)).toEqual([
      "cpu cgroup v1",
      "memory cgroup v1",
    ]);
    expect(limits.memoryRlimit).toBe(0);
    limits.hold("i-1", 9);
    expect(get("memory/box/headrace-42/i-1/memory.limit_in_bytes")).toBe("67108864");
    expect(get("cpu,cpuacct/headrace-42/i-1/cpu.cfs_quota_us")).toBe("150000");
    expect(get("cpu,cpuacct/headrace-42/i-1/cgroup.procs")).toBe("9");
    put("memory/box/headrace-42/i-1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    expect(limits.release("i-1")).toEqual({ overMemory: true });
    expect(limits.release("i-1")).toEqual({ overMemory: false });
  });
});

test("pools of one process have groups of their own, so that one that ends takes nothing from another", () => {
  expect(systemPlaces().group).not.toBe(systemPlaces().group);
});

describe("without control groups", () => {
  test("memory is held by the process's own limit, processors by nothing, and it is said why", () => {
    put("self", "0::/\n");
    const limits = new InstanceLimits({ cpu: 1, memory: 2 ** 27 }, () => {}, places);
    expect(limits.report).toEqual([
      { resource: "cpu", limit: 1, by: "nothing", why: "this system has no control groups" },
      { resource: "memory", limit: 2 ** 27, by: "rlimit", why: "this system has no control groups" },
    ]);
    expect(limits.memoryRlimit).toBe(2 ** 27);
  });

  test("nothing is looked for when nothing is limited", () => {
    const limits = new InstanceLimits({ cpu: 0, memory: 0 }, () => {}, places);
    expect(limits.report).toEqual([]);
    limits.hold("i-1", 1);
    expect(limits.release("i-1")).toEqual({ overMemory: false });
  });

  test("a group that refuses a process is told of, and the instance runs all the same", () => {
    put("self", "4:memory:/\n");
    mkdirSync(join(places.root, "memory"));
    const refused: string[] = [];
    const limits = new InstanceLimits({ cpu: 0, memory: 2 ** 27 }, (why) => refused.push(why), places);
    // A file where the group's folder should be.
    put("memory/headrace-42/i-1", "");
    limits.hold("i-1", 1);
    expect(refused.length).toBe(1);
    expect(refused[0]).toContain("i-1 has no limit of memory");
  });
});
