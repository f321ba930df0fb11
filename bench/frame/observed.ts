/** What a stack and all others used of the machine while something was done. */
import { machineCpu } from "./machine.ts";
import type { Cpu } from "./processes.ts";

export interface Use {
  readonly seconds: number;
  /** CPU seconds of the stack, and of that of its Python processes. */
  readonly cpu: number;
  readonly pythonCpu: number;
  /** Share of the machine that went to neither the stack nor its load. */
  readonly others: number;
}

/**
 * @param stack what the stack has used so far
 * @param work gives back the CPU seconds of the load beside its result
 */
export async function observed<T extends { readonly cpuSeconds: number }>(
  stack: () => Cpu,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly use: Use }> {
  const began = performance.now();
  const [machine, own, used] = [machineCpu(), process.cpuUsage(), stack()];
  const result = await work();
  const after = stack();
  const mine = process.cpuUsage(own);
  const now = machineCpu();
  const cpu = Math.max(0, after.all - used.all);
  const known = cpu + result.cpuSeconds + (mine.user + mine.system) / 1e6;
  return {
    result,
    use: {
      seconds: (performance.now() - began) / 1000,
      cpu,
      pythonCpu: Math.max(0, after.python - used.python),
      others: Math.max(0, (now.busy - machine.busy - known) / Math.max(0.01, now.all - machine.all)),
    },
  };
}
