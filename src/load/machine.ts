/** What the machine allows a generator. Linux; where a file cannot be read, the usual figure stands in. */

import { readFileSync } from "node:fs";
import { availableParallelism, cpus, networkInterfaces, release } from "node:os";
import type { MachineFacts } from "./result.ts";

export interface Limits {
  /** Open files of a process; raised to the hard limit when a process starts. */
  readonly files: number;
  /** Local ports that the system gives out, per pair of local address and destination. */
  readonly ports: number;
  /** The first of them. */
  readonly firstPort: number;
  readonly cpus: number;
}

export function readLimits(): Limits {
  const files = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m.exec(read("/proc/self/limits"));
  const range = /^(\d+)\s+(\d+)/.exec(read("/proc/sys/net/ipv4/ip_local_port_range"));
  const soft = files === null ? 1_024 : files[1] === "unlimited" ? 1_048_576 : Number(files[1]);
  return {
    files: soft,
    ports: range === null ? 28_232 : Number(range[2]) - Number(range[1]) + 1,
    firstPort: range === null ? 32_768 : Number(range[1]),
    cpus: availableParallelism(),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** @param addresses where the service is */
export function machineFacts(addresses: readonly string[]): MachineFacts {
  return {
    cpus: availableParallelism(),
    cpuModel: cpus()[0]?.model.trim() ?? "",
    kernel: release(),
    local: addresses.some(isOwnAddress),
  };
}

export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function isOwnAddress(address: string): boolean {
  if (isLoopback(address)) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address));
}
