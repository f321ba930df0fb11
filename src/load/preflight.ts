/** Whether the machine can do what is asked, and over how many processes and addresses it is spread. Pure. */

import { bytesText, grouped } from "./figures.ts";
import type { Limits } from "./machine.ts";

/** Files that a process needs for other things than connections. */
const RESERVE_FILES = 256;
/** Ports left for others. */
const SPARE_PORTS = 0.1;
/** One process sends about this many requests per second with room to spare. */
const RATE_PER_PROCESS = 20_000;
/** Local addresses that a loopback run may connect from: all of 127.0.0.0/8 is there without asking. */
const LOOPBACK_SOURCES = 64;

export interface Wanted {
  /** The most connections that are open at once. */
  readonly connections: number;
  /** Whether fewer would do: the most that an open loop may open, not what it needs. */
  readonly connectionsMayShrink: boolean;
  /** Requests per second at the peak; 0 for a closed loop. */
  readonly rate: number;
  /** null: as many as are needed. */
  readonly processes: number | null;
  /** Each address and port that leads to the service. */
  readonly destinations: number;
  readonly loopback: boolean;
}

export type Preflight =
  | {
      readonly ok: true;
      readonly processes: number;
      readonly connections: number;
      /** Local addresses to connect from; empty: the system chooses. */
      readonly sources: readonly string[];
    }
  | { readonly ok: false; readonly message: string; readonly instead: string };

/** Answers how to go about it, or what stands in the way and what would help. */
export function preflight(wanted: Wanted, limits: Limits): Preflight {
  const perProcess = limits.files - RESERVE_FILES;
  const asked = wanted.processes ?? neededProcesses(wanted, perProcess, limits.cpus);
  // A process without a connection has nothing to do.
  const processes = Math.max(1, Math.min(asked, wanted.connections));
  const byFiles = perProcess * processes;
  const perSource = Math.floor(limits.ports * (1 - SPARE_PORTS)) * wanted.destinations;
  const sources =
    wanted.connections <= perSource || !wanted.loopback ? 1 : Math.ceil(wanted.connections / perSource);
  const byPorts = perSource * Math.min(sources, LOOPBACK_SOURCES);
  const most = Math.min(byFiles, byPorts);
  if (wanted.connections > most && !wanted.connectionsMayShrink) {
    return byFiles < byPorts
      ? filesMissing(wanted.connections, processes, limits)
      : portsMissing(wanted.connections, byPorts);
  }
  const connections = Math.min(wanted.connections, most);
  return { ok: true, processes, connections, sources: sources === 1 ? [] : loopbackSources(sources) };
}

/** What a generator process holds before it has a connection, and about what each costs it. Measured; bytes. */
const PROCESS_BYTES = 45e6;
const CONNECTION_BYTES = 4e3;
const SECURE_BYTES = 11e3;

/** What the machine allows, and about what a run will take of it: one sentence. */
export function allowance(
  { processes, connections, sources }: Extract<Preflight, { ok: true }>,
  limits: Limits,
  secure: boolean,
): string {
  const bytes = processes * PROCESS_BYTES + connections * (secure ? SECURE_BYTES : CONNECTION_BYTES);
  const spread = `${count(processes, "process", "processes")} of ${grouped(limits.files)} files`;
  const addresses = `${count(Math.max(1, sources.length), "address", "addresses")} of ${grouped(limits.ports)} ports`;
  return `${grouped(connections)} connections fit: ${spread}, ${addresses}, about ${bytesText(bytes)} of memory.`;
}

function neededProcesses(wanted: Wanted, perProcess: number, cpus: number): number {
  const byRate = Math.min(cpus, Math.ceil(wanted.rate / RATE_PER_PROCESS));
  const byFiles = wanted.connectionsMayShrink ? 1 : Math.ceil(wanted.connections / Math.max(1, perProcess));
  return Math.max(1, byRate, byFiles);
}

/** 127.0.0.2, 127.0.0.3, …: not the first, which others use. */
function loopbackSources(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `127.0.0.${index + 2}`);
}

function filesMissing(connections: number, processes: number, { files }: Limits): Preflight {
  return {
    ok: false,
    message: `${connections} connections over ${count(processes, "process", "processes")} need more files than the ${files} a process may open here.`,
    instead: `Leave out --processes, or raise the limit: ulimit -n ${Math.ceil(connections / processes) + RESERVE_FILES}.`,
  };
}

function portsMissing(connections: number, ports: number): Preflight {
  return {
    ok: false,
    message: `${connections} connections to one address need more local ports than the ${ports} there are.`,
    instead:
      "Let the service listen on more addresses or ports and name them with --connect-to, or widen the range: sysctl net.ipv4.ip_local_port_range='1024 65535'.",
  };
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
