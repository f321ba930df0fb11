/**
 * Keeps N instances of one revision ready: starts them, replaces the dead, drains and stops them, reloads to a new generation.
 *
 * A reload builds the new generation completely (launcher, then all instances ready), publishes both, then the new one alone,
 * then retires the old one. When the new one cannot start, nothing changes. Operations that replace generations run one at a time.
 */

import { join } from "node:path";
import type { HeadraceError } from "../base/errors.ts";
import type { LimitReport } from "../model/instance.ts";
import { plainFailure, type StartFailure, startError } from "./errors.ts";
import { Generation } from "./generation.ts";
import { ControlServer } from "./local/control.ts";
import type { Launcher } from "./local/launcher.ts";
import { InstanceLimits } from "./local/limits.ts";
import { LogServer } from "./local/logs.ts";
import { type OpenedLauncher, openLauncher } from "./local/preload.ts";
import { type InstancePart, UsageSampler } from "./local/usage.ts";
import type { Host, Member } from "./member.ts";
import type { PoolPorts } from "./ports.ts";
import { Publisher } from "./publisher.ts";
import { recycles } from "./recycle.ts";
import { Recycler } from "./recycler.ts";
import { countCrash, noLoop, type RestartSettings, restartDefaults, stillLooping } from "./restart.ts";
import type { PoolSpec } from "./settings.ts";

/** What a status page shows of a pool beside its instances. */
export interface PoolStatus {
  /** At least one instance takes requests. */
  readonly ready: boolean;
  readonly generation: number;
  /** "asgi", "wsgi" or "function"; empty before the first instance was ready. */
  readonly interface: string;
  readonly preload: { readonly level: "app" | "imports" | "off"; readonly reasons: readonly string[] };
  readonly wanted: number;
  readonly limits: readonly LimitReport[];
  readonly crashLooping: boolean;
}

export class Pool {
  #spec: PoolSpec;
  readonly #ports: PoolPorts;
  readonly #restart: RestartSettings;
  readonly #host: Host;
  readonly #publisher: Publisher;
  readonly #usage: UsageSampler;
  /** The generation that serves; undefined before the first start. */
  #current: Generation | undefined;
  /** The ones whose instances are in the gateways' list: the current one, and at a swap the next. */
  #serving: readonly Generation[] = [];
  readonly #all = new Set<Generation>();
  #generations = 0;
  #wanted: number;
  #interface = "";
  #crashes = noLoop;
  #queue: Promise<unknown> = Promise.resolve();
  #nextEnv: PoolSpec["env"] | undefined;
  #pendingReload: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #recycler: Recycler | undefined;

  /** Listens in `spec.runDir` at once; starts nothing. */
  constructor(spec: PoolSpec, ports: PoolPorts, restart: RestartSettings = restartDefaults) {
    this.#spec = spec;
    this.#ports = ports;
    this.#restart = restart;
    this.#wanted = spec.instances;
    this.#usage = new UsageSampler(ports.clock);
    this.#publisher = new Publisher(
      () => this.#serving.flatMap((generation) => generation.routes()),
      (routes) => ports.routes.publish(routes),
      (message) => ports.event({ kind: "publish-failed", message }),
    );
    const control = new ControlServer(join(spec.runDir, "control"), (why) =>
      ports.event({ kind: "control-refused", why }),
    );
    const logs = new LogServer(join(spec.runDir, "logs"));
    const limits = new InstanceLimits(spec.limits, (why) => ports.event({ kind: "limit-refused", why }));
    const current = () => this.#spec;
    this.#host = {
      // What a reload changes holds for all that starts from then on.
      get spec() {
        return current();
      },
      limits,
      ports,
      control,
      logs,
      zygotes: new Set(),
      isStopping: () => this.#stopping !== undefined,
      sync: () => this.#publisher.sync(),
    };
  }

  /**
   * Starts the first generation. Resolves when every instance is ready, or has failed while others are ready.
   * @throws HeadraceError when none became ready; its `detail` is the Python traceback or the last lines. Everything is gone then.
   */
  async start(): Promise<void> {
    return this.#exclusive(async () => {
      const opened = await this.#open();
      if (opened.kind === "failed") throw await this.#abort(opened.failure);
      const generation = this.#generation(opened.launcher);
      this.#current = generation;
      this.#serving = [generation];
      const failures = await generation.start(this.#wanted);
      if (this.#stopping !== undefined) throw startError(plainFailure("start_cancelled"));
      if (failures[0] !== undefined && generation.readyCount === 0) throw await this.#abort(failures[0]);
      this.#noteInterface(generation);
      generation.accept();
      if (recycles(this.#spec.recycling)) this.#recycler = this.#watch();
    });
  }

  #watch(): Recycler {
    return new Recycler({
      settings: this.#spec.recycling,
      ports: this.#ports,
      members: () => [...(this.#current?.members ?? [])],
      recycle: (id, reason) => this.recycle(id, reason),
    });
  }

  /**
   * Replaces every instance by one that has imported the app anew. Resolves when the new ones serve; the old ones finish what
   * they have in the background. A call while another reload waits for its turn joins that one.
   * @param env another environment, from now on
   * @throws HeadraceError when a new instance did not become ready: the old ones go on, in the environment that they had
   */
  reload(env?: PoolSpec["env"]): Promise<void> {
    if (env !== undefined) this.#nextEnv = env;
    this.#pendingReload ??= this.#exclusive(() => {
      this.#pendingReload = undefined;
      const before = this.#spec;
      this.#spec = { ...before, env: this.#nextEnv ?? before.env };
      this.#nextEnv = undefined;
      return this.#reload().catch((error: unknown) => {
        this.#spec = before;
        throw error;
      });
    });
    return this.#pendingReload;
  }

  /** Keeps `count` instances from now on. Resolves when the new ones are ready or have failed once, and surplus ones are gone. */
  async scale(count: number): Promise<void> {
    this.#wanted = count;
    if (this.#stopping !== undefined) return;
    await this.#current?.resize(count, this.#spec.patienceMs);
  }

  /** Replaces one instance by a new one, which is ready first. Resolves with whether it serves; when not, the old one stays. */
  async recycle(id: string, reason: string): Promise<boolean> {
    const [generation, member] = this.#find(id) ?? [];
    if (generation === undefined || member?.machine.state !== "ready") return false;
    const failure = await generation.recycle(member, this.#spec.patienceMs, reason);
    if (failure === undefined) this.#ports.event({ kind: "recycled", instance: id, reason });
    else this.#ports.event({ kind: "recycle-failed", instance: id, failure });
    return failure === undefined;
  }

  /**
   * An instance does not come back from a request: logs the stacks of its threads, takes it out of routing, replaces it, and kills
   * it after a grace for its other requests. Resolves when it is gone.
   */
  async stuck(id: string, reason: string): Promise<void> {
    const [generation, member] = this.#find(id) ?? [];
    if (generation === undefined || member?.machine.state !== "ready") return;
    member.reportStuck(reason);
    await generation.expel(member, reason);
  }

  /** Has an instance write the stacks of all its threads to the log. False when there is no such instance, or it is still starting. */
  stacks(id: string): boolean {
    const [, member] = this.#find(id) ?? [];
    return member?.dumpStacks() ?? false;
  }

  /** Drains and stops everything. Resolves when all processes are gone. A second call waits for the first, and may hasten it; see {@link kill}. */
  stop({ drainMs }: { readonly drainMs: number }): Promise<void> {
    const why = "the pool stops";
    for (const generation of this.#all)
      if (this.#stopping !== undefined) void generation.retire(why, drainMs);
    this.#stopping ??= this.#stop(why, drainMs);
    return this.#stopping;
  }

  /** Forces a stop: every process is killed now. `stop` resolves once they are gone. */
  kill(): void {
    void this.stop({ drainMs: 0 });
    for (const generation of this.#all) generation.kill("the stop is forced");
  }

  get status(): PoolStatus {
    const current = this.#current;
    return {
      ready: this.#serving.some((generation) => generation.readyCount > 0),
      generation: current?.number ?? 0,
      interface: this.#interface,
      preload: { level: current?.launcher.level ?? "off", reasons: current?.launcher.reasons ?? [] },
      wanted: this.#wanted,
      limits: this.#host.limits.report,
      crashLooping: stillLooping(this.#crashes, this.#ports.clock.now(), this.#restart),
    };
  }

  /** Instances that are ready, and those that are asked for and are not. Those that leave count in neither. */
  get counts(): { readonly ready: number; readonly starting: number } {
    const ready = this.#current?.readyCount ?? 0;
    return { ready, starting: (this.#current?.size ?? 0) - ready };
  }

  /** Every instance that is not gone, as far as this room knows it. Reads memory and CPU time from the system. */
  async report(): Promise<readonly InstancePart[]> {
    const members = [...this.#all].flatMap((generation) => [...generation.members]);
    return this.#usage.report(this.#spec, members);
  }

  async #reload(): Promise<void> {
    const { clock, event } = this.#ports;
    const old = this.#current;
    const began = clock.now();
    const number = this.#generations + 1;
    event({ kind: "reload-started", generation: number });
    const opened = await this.#open();
    if (opened.kind === "failed") throw this.#reloadFailed(number, opened.failure);
    const next = this.#generation(opened.launcher);
    // One at least: without any, nobody would know that the new code does not start.
    const failures = await next.start(Math.max(1, this.#wanted));
    const stopped = this.#stopping !== undefined ? plainFailure("start_cancelled") : undefined;
    const failure = stopped ?? failures[0];
    if (failure !== undefined) {
      await this.#retire(next, "its reload failed", 0);
      throw this.#reloadFailed(number, failure);
    }
    this.#serving = [...this.#serving, next];
    await this.#publisher.sync();
    this.#serving = [next];
    this.#current = next;
    this.#noteInterface(next);
    next.accept();
    await this.#publisher.sync();
    event({ kind: "reload-done", generation: number, ms: clock.now() - began });
    if (old !== undefined) void this.#retire(old, "a newer generation serves", this.#spec.patienceMs);
    if (next.size !== this.#wanted) await next.resize(this.#wanted, this.#spec.patienceMs);
  }

  /** It is asked for also while there is no instance. */
  #noteInterface(generation: Generation): void {
    const ready = [...generation.members].find((member) => member.ready !== undefined)?.ready;
    if (ready !== undefined) this.#interface = ready.interface;
  }

  #reloadFailed(generation: number, failure: StartFailure): HeadraceError {
    this.#ports.event({ kind: "reload-failed", generation, failure });
    return startError(failure);
  }

  async #open(): Promise<OpenedLauncher> {
    const kept = this.#spec.keepImports ? this.#current?.launcher : undefined;
    const opened = await openLauncher(this.#host, kept);
    if (this.#stopping !== undefined) {
      if (opened.kind === "opened") await opened.launcher.close();
      return { kind: "failed", failure: plainFailure("start_cancelled") };
    }
    if (opened.kind === "opened" && opened.launcher !== kept) {
      const { level, reasons } = opened.launcher;
      this.#ports.event({ kind: "preload", level, reasons, startMs: opened.ms });
    }
    return opened;
  }

  #generation(launcher: Launcher): Generation {
    const plan = { number: ++this.#generations, launcher, restart: this.#restart };
    const generation = new Generation(this.#host, plan, (cause) => this.#crash(cause));
    this.#all.add(generation);
    return generation;
  }

  #crash(cause: string): void {
    const now = this.#ports.clock.now();
    const current = stillLooping(this.#crashes, now, this.#restart)
      ? this.#crashes
      : { ...this.#crashes, looping: false };
    const { history, began } = countCrash(current, { now, cause }, this.#restart);
    this.#crashes = history;
    if (began) {
      this.#ports.event({
        kind: "crash-loop",
        crashes: history.crashes.length,
        windowMs: this.#restart.windowMs,
      });
    }
  }

  /** Retires a generation, and its launcher when no other one uses it. */
  async #retire(generation: Generation, why: string, drainMs: number): Promise<void> {
    await generation.retire(why, drainMs);
    this.#all.delete(generation);
    const inUse = [...this.#all].some((other) => other.launcher === generation.launcher);
    if (!inUse) await generation.launcher.close();
  }

  async #abort(failure: StartFailure): Promise<HeadraceError> {
    await this.stop({ drainMs: 0 });
    return startError(failure);
  }

  async #stop(why: string, drainMs: number): Promise<void> {
    this.#recycler?.stop();
    await Promise.all([...this.#all].map((generation) => this.#retire(generation, why, drainMs)));
    // Those that are being made.
    await Promise.all([...this.#host.zygotes].map((zygote) => zygote.close()));
    this.#host.control.close();
    this.#host.logs.close();
    this.#host.limits.close();
  }

  /** Runs operations that replace generations one after the other. */
  #exclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      if (this.#stopping !== undefined) throw startError(plainFailure("start_cancelled"));
      return run();
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  #find(id: string): [Generation, Member] | undefined {
    for (const generation of this.#all) {
      const member = generation.find(id);
      if (member !== undefined) return [generation, member];
    }
    return undefined;
  }
}
