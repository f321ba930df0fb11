import type { ActionOutcome, AdminPorts, Outcome } from "../admin/ports.ts";
import { HeadraceError } from "../base/errors.ts";
import { revisionName } from "../config/service.ts";
import type { RunningApplication } from "../platform/application.ts";
import type { Running } from "../platform/start.ts";

/** What the command does with what runs. */
export interface Acts<T> {
  /** Null until the start is done. */
  readonly running: () => T | null;
  /** Begins the stop that SIGTERM would. */
  readonly stop: (reason: string) => void;
}

/** Binds the admin server to what runs, once it does. */
export function adminPorts(service: string, { running, stop }: Acts<Running>): AdminPorts {
  const alone = async (name: string) => (name === service ? ALONE : ({ kind: "unknown-service" } as const));
  const notAlone = async (name: string) => (name === service ? SOLE : ({ kind: "unknown-service" } as const));
  return {
    readiness: () => running()?.ready() ?? { ready: false, why: "the start is still under way" },
    status: async () => (await running()?.status()) ?? null,
    services: async () => {
      const status = await running()?.status();
      return status === undefined ? null : [status];
    },
    route: () => (running() === null ? null : { service }),
    decisionsOf: (name) => (name === service ? (running()?.decisions() ?? null) : undefined),
    deploy: (name) =>
      answered(running(), async (here) => {
        if (name !== service) return undefined;
        await here.reload();
        return { service, revision: revisionName(1), rollout: null };
      }),
    revisions: alone,
    traffic: alone,
    setTraffic: alone,
    rollback: alone,
    metrics: async () => (await running()?.metrics()) ?? [],
    decisions: () => running()?.decisions() ?? null,
    reload: () => act(running(), (here) => here.reload().then(() => true)),
    stop: () => act(running(), () => stopped(stop)),
    restartService: (name) => {
      if (name !== service) return Promise.resolve({ kind: "unknown-service" });
      return act(running(), (here) => here.restartAll().then(() => true));
    },
    stopService: notAlone,
    startService: notAlone,
    stacks: (instance) => act(running(), (here) => here.stacks(instance)),
    restart: (instance) => act(running(), (here) => here.restart(instance)),
  };
}

const ALONE = {
  kind: "failed",
  code: "revisions_need_file",
  message:
    "headrace run has one revision. Write a headrace.yaml and start it with headrace up to have several.",
} as const;

const SOLE = {
  kind: "failed",
  code: "service_alone",
  message: "headrace run serves one service. headrace down stops it.",
} as const;

function stopped(stop: (reason: string) => void): true {
  stop("POST /v1/stop");
  return true;
}

/** The same for an application. @param acts `reload` reads the file again and applies it */
export function applicationPorts(
  acts: Acts<RunningApplication> & { readonly reload: (client: AbortSignal) => Promise<void> },
): AdminPorts {
  const { running, reload, stop } = acts;
  return {
    readiness: () => running()?.ready() ?? { ready: false, why: "the start is still under way" },
    status: async () => (await running()?.services())?.[0] ?? null,
    services: async () => (await running()?.services()) ?? null,
    route: (question) => running()?.route(question) ?? null,
    decisionsOf: (name) => {
      const here = running();
      return here === null ? null : here.decisions(name);
    },
    deploy: (service, wish, client) => answered(running(), (here) => here.deploy(service, wish, client)),
    revisions: (service) => answered(running(), (here) => here.revisions(service)),
    traffic: (service) => answered(running(), (here) => here.traffic(service)),
    setTraffic: (service, wish, client) =>
      answered(running(), (here) => here.setTraffic(service, wish, client)),
    rollback: (service, client) => answered(running(), (here) => here.rollback(service, client)),
    metrics: async () => (await running()?.metrics()) ?? [],
    decisions: () => (running() === null ? null : []),
    reload: (client) => act(running(), () => reload(client).then(() => true)),
    stop: () => act(running(), () => stopped(stop)),
    restartService: (name) => act(running(), (here) => here.restartService(name)),
    stopService: (name, client) => act(running(), (here) => here.stopService(name, client)),
    startService: (name, client) => act(running(), (here) => here.startService(name, client)),
    stacks: (instance) => act(running(), (here) => here.stacks(instance)),
    restart: (instance) => act(running(), (here) => here.restart(instance)),
  };
}

/** @param action answers false when there is no instance of that name */
async function act<T>(
  running: T | null,
  action: (running: T) => boolean | Promise<boolean>,
): Promise<ActionOutcome> {
  if (running === null) return { kind: "starting" };
  try {
    return (await action(running)) === false ? { kind: "unknown-instance" } : { kind: "done" };
  } catch (error) {
    return failed(error);
  }
}

/** @param action answers undefined when there is no service of that name */
async function answered<T, V>(
  running: T | null,
  action: (running: T) => V | undefined | Promise<V | undefined>,
): Promise<Outcome<V>> {
  if (running === null) return { kind: "starting" };
  try {
    const value = await action(running);
    return value === undefined ? { kind: "unknown-service" } : { kind: "done", value };
  } catch (error) {
    return failed(error);
  }
}

/** What the user has to be told; anything else is a fault of ours. All that an app said on its way to the API comes through here. */
function failed(error: unknown): Extract<ActionOutcome, { kind: "failed" }> {
  if (!(error instanceof HeadraceError)) throw error;
  const { code, message, detail } = error;
  const hint = error.hint === "" ? "" : ` ${error.hint}`;
  return { kind: "failed", code, message: `${message}${hint}`, ...(detail === "" ? {} : { detail }) };
}
