/** What the run stood on: the machine, the versions of everything, and how busy others kept it. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Machine } from "./model.ts";
import { ROOT } from "./places.ts";

const SYSCTL = [
  "net.core.somaxconn",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_tw_reuse",
  "vm.overcommit_memory",
];

export function machine(): Machine {
  const setting = (name: string) => {
    const path = `/proc/sys/${name.replaceAll(".", "/")}`;
    return existsSync(path) ? readFileSync(path, "latin1").trim().replaceAll(/\s+/g, " ") : "";
  };
  const limits = existsSync("/proc/self/limits") ? readFileSync("/proc/self/limits", "latin1") : "";
  return {
    cpu: cpus()[0]?.model.trim() ?? "",
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    openFiles: Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0),
    sysctl: Object.fromEntries(SYSCTL.map((name) => [name, setting(name)])),
  };
}

/** CPU seconds of the whole machine since its start: in use or stolen, and all. */
export function machineCpu(): { readonly busy: number; readonly all: number } {
  const ticks = (/^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? "")
    .split(" ")
    .slice(0, 8)
    .map(Number);
  const all = ticks.reduce((total, each) => total + each, 0) / 100;
  return { all, busy: all - ((ticks[3] ?? 0) + (ticks[4] ?? 0)) / 100 };
}

/** Versions of the interpreters, the tools, and every package of the interpreters' environments. */
export function versions(environments: Readonly<Record<string, string>>): Record<string, string> {
  const found: Record<string, string> = {
    Bun: Bun.version,
    wrk: toolVersion("wrk", "-v"),
    nginx: toolVersion("nginx", "-v"),
  };
  for (const [prefix, python] of Object.entries(environments)) {
    if (!existsSync(python)) continue;
    found[`${prefix}Python`] = said(python, "-V").replace("Python ", "");
    const list = said(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check");
    for (const line of list.split("\n")) {
      const [name, version] = line.split("==");
      if (name !== undefined && version !== undefined) found[`${prefix}${name}`] = version;
    }
  }
  return Object.fromEntries(Object.entries(found).filter(([, version]) => version !== ""));
}

function toolVersion(program: string, flag: string): string {
  return /(?:wrk |nginx\/)(\S+)/.exec(said(program, flag))?.[1] ?? "";
}

function said(program: string, ...args: string[]): string {
  const { stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", timeout: 60_000 });
  return error === undefined ? `${stdout}${stderr}`.trim() : "";
}

/** The commit of a checkout, with "+" where the sources differ from it; empty without git. */
export function commit(folder = ROOT): string {
  const id = spawnSync("git", ["-C", folder, "rev-parse", "--short=12", "HEAD"], { encoding: "utf8" });
  if (id.status !== 0) return "";
  const changed = spawnSync("git", ["-C", folder, "status", "--porcelain", "--", "src", "python", "bench"], {
    encoding: "utf8",
  });
  const sources = changed.stdout.split("\n").filter((line) => line !== "" && !line.includes("bench/results"));
  return `${id.stdout.trim()}${sources.length > 0 ? "+" : ""}`;
}

/** Whether the environments of the peers stand where `make bench` puts them. */
export function installed(name: string): boolean {
  return existsSync(join(ROOT, "bench", name, "bin/python"));
}
