/** Measurements with wrk, as several parts take them. */
import type { Bench, Check, Load, Outcome, Running } from "../frame/bench.ts";
import { faults, type Measured, wrk } from "../load/wrk.ts";

export interface Wave {
  readonly case: string;
  readonly check: Check;
  readonly connections: number;
  readonly seconds: number;
  readonly takes?: (stack: string) => boolean;
}

/** Rate, latency and CPU under one wave of wrk, each answer checked. */
export function wave(bench: Bench, of: Wave): Load {
  return {
    case: of.case,
    ...(of.takes === undefined ? {} : { takes: of.takes }),
    measure: (running) => measured(bench, running, of),
  };
}

async function measured(bench: Bench, running: Running, of: Wave): Promise<Outcome> {
  const { headers = [], body = "" } = of.check;
  const right = await bench.checked(running, of.check);
  const result = await wrk({
    url: `http://127.0.0.1:${running.port}${of.check.path}`,
    connections: of.connections,
    seconds: of.seconds,
    headers,
    body,
    cores: bench.settings.pin?.load ?? null,
  });
  const per100k = 100_000 / Math.max(1, result.requests);
  return {
    values: figures(result),
    faults: faults(result, right, of.connections),
    cpuSeconds: result.cpuSeconds,
    used: ({ cpu, pythonCpu }) => ({ cpu: cpu * per100k, python: pythonCpu * per100k }),
  };
}

function figures({ requestsPerSecond, p50Ms, p99Ms, p999Ms }: Measured): Record<string, number> {
  return { rate: requestsPerSecond, p50: p50Ms, p99: p99Ms, p999: p999Ms };
}

/** Files are read and code is compiled before anything counts. */
export async function warm(bench: Bench, running: readonly Running[], check: Check): Promise<void> {
  for (const each of running) {
    const url = `http://127.0.0.1:${each.port}${check.path}`;
    await wrk({
      url,
      connections: 64,
      seconds: 1,
      body: check.body ?? "",
      cores: bench.settings.pin?.load ?? null,
    });
  }
}
