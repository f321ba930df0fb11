/** Starting servers to be measured, and reading what they cost from /proc. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second in /proc/PID/stat: fixed by the kernel's interface to user space. */
const TICKS = 100;

/** A server under test with everything it started. */
export class Group {
  #ended = false;

  private constructor(
    readonly name: string,
    readonly child: ChildProcess,
  ) {
    child.once("exit", () => {
      this.#ended = true;
    });
  }

  /** Starts the command in a process group of its own and waits until `url` answers. */
  static async start(
    name: string,
    command: readonly string[],
    url: string,
    options: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
  ): Promise<Group> {
    const [program = "", ...args] = command;
    const child = spawn(program, args, {
      cwd: options.cwd,
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...options.env },
    });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
    });
    const group = new Group(name, child);
    for (const deadline = performance.now() + 30_000; performance.now() < deadline; await Bun.sleep(50)) {
      if (group.#ended) throw new Error(`${name} ended at its start:\n${said}`);
      const answer = await fetch(url).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.status === 200) return group;
    }
    await group.stop();
    throw new Error(`${name} did not answer ${url}:\n${said}`);
  }

  /** All processes of the group. */
  processes(): { pid: number; command: string }[] {
    return this.child.pid === undefined ? [] : descendants(this.child.pid);
  }

  /** CPU seconds used so far, of processes whose command fits. */
  cpuSeconds(fits: (command: string) => boolean = () => true): number {
    return this.processes()
      .filter(({ command }) => fits(command))
      .reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
  }

  async stop(): Promise<void> {
    const pid = this.child.pid;
    if (pid === undefined || this.#ended) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    process.kill(pid, "SIGTERM");
    const late = setTimeout(() => process.kill(-pid, "SIGKILL"), 10_000);
    await ended;
    clearTimeout(late);
  }
}

/** A process and all that descend from it, also those that have made sessions of their own. */
function descendants(root: number): { pid: number; command: string }[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const parent = Number(statFields(Number(entry))[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It ended while we looked.
    }
  }
  const found: { pid: number; command: string }[] = [];
  for (let level = [root]; level.length > 0; level = level.flatMap((pid) => children.get(pid) ?? []))
    for (const pid of level) found.push({ pid, command: commandOf(pid) });
  return found.filter(({ command }) => command !== "");
}

/** Empty when the process is gone. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** The fields of /proc/PID/stat after the command: state, ppid, pgrp, session, ... */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

export function cpuSecondsOf(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Proportional set size: memory with shared pages divided among those who share them. */
export function memoryOf(pid: number): number {
  const kib = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1];
  return Number(kib ?? 0) * 1024;
}
