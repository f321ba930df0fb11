import type { ActionOutcome, AdminPorts } from "../admin/ports.ts";
import { HeadraceError } from "../base/errors.ts";
import type { RunningApplication } from "../platform/application.ts";
import type { Running } from "../platform/start.ts";

/** Binds the admin server to what runs, once it does. @param running null until the start is done */
export function adminPorts(service: string, running: () => Running | null): AdminPorts {
  return {
    readiness: () => running()?.ready() ?? { ready: false, why: "the start is still under way" },
    status: async () => (await running()?.status()) ?? null,
    services: async () => {
      const status = await running()?.status();
      return status === undefined ? null : [status];
    },
    decisionsOf: (name) => (name === service ? (running()?.decisions() ?? null) : undefined),
    deploy: (name) => {
      if (name !== service) return Promise.resolve({ kind: "unknown-service" });
      return act(running(), (here) => here.reload().then(() => true));
    },
    metrics: async () => (await running()?.metrics()) ?? [],
    decisions: () => running()?.decisions() ?? null,
    reload: () => act(running(), (here) => here.reload().then(() => true)),
    stacks: (instance) => act(running(), (here) => here.stacks(instance)),
    restart: (instance) => act(running(), (here) => here.restart(instance)),
  };
}

/** The same for an application. @param reload reads the file again and applies it */
export function applicationPorts(
  running: () => RunningApplication | null,
  reload: () => Promise<void>,
): AdminPorts {
  return {
    readiness: () => running()?.ready() ?? { ready: false, why: "the start is still under way" },
    status: async () => (await running()?.services())?.[0] ?? null,
    services: async () => (await running()?.services()) ?? null,
    decisionsOf: (name) => {
      const here = running();
      return here === null ? null : here.decisions(name);
    },
    deploy: async (name) => {
      const outcome = await act(running(), (here) => here.deploy(name));
      return outcome.kind === "unknown-instance" ? { kind: "unknown-service" } : outcome;
    },
    metrics: async () => (await running()?.metrics()) ?? [],
    decisions: () => (running() === null ? null : []),
    reload: () => act(running(), () => reload().then(() => true)),
    stacks: (instance) => act(running(), (here) => here.stacks(instance)),
    restart: (instance) => act(running(), (here) => here.restart(instance)),
  };
}

/** @param action answers false when there is nothing of that name */
async function act<T>(
  running: T | null,
  action: (running: T) => boolean | Promise<boolean>,
): Promise<ActionOutcome> {
  if (running === null) return { kind: "starting" };
  try {
    return (await action(running)) === false ? { kind: "unknown-instance" } : { kind: "done" };
  } catch (error) {
    if (error instanceof HeadraceError) return { kind: "failed", code: error.code, message: error.message };
    throw error;
  }
}
