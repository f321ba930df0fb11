import type { ActionOutcome, AdminPorts } from "../admin/ports.ts";
import { HeadraceError } from "../base/errors.ts";
import type { Running } from "../platform/start.ts";

/** Binds the admin server to what runs, once it does. @param running null until the start is done */
export function adminPorts(running: () => Running | null): AdminPorts {
  return {
    readiness: () => running()?.ready() ?? { ready: false, why: "the start is still under way" },
    status: async () => (await running()?.status()) ?? null,
    metrics: async () => (await running()?.metrics()) ?? [],
    decisions: () => running()?.decisions() ?? null,
    reload: () => act(running(), (here) => here.reload().then(() => true)),
    stacks: (instance) => act(running(), (here) => here.stacks(instance)),
    restart: (instance) => act(running(), (here) => here.restart(instance)),
  };
}

/** @param action answers false when there is no such instance */
async function act(
  running: Running | null,
  action: (running: Running) => boolean | Promise<boolean>,
): Promise<ActionOutcome> {
  if (running === null) return { kind: "starting" };
  try {
    return (await action(running)) === false ? { kind: "unknown-instance" } : { kind: "done" };
  } catch (error) {
    if (error instanceof HeadraceError) return { kind: "failed", code: error.code, message: error.message };
    throw error;
  }
}
