/**
 * The life of one instance's process, from launch to exit: waits for ready (raced with its exit and the start-up timeout),
 * drains it without loss, stops it, and takes note of its death. The states are those of instance.ts.
 *
 * Draining without loss, in order:
 * 1. `draining`; the row is closed, so no gateway reserves a slot any more; the list without this instance is published,
 *    and every gateway has acknowledged it;
 * 2. `drain` is sent; then the table's count of reserved slots falls to 0 and the worker reports no open stream. WebSockets and
 *    responses that have begun, which may last for ever, are told to end when they have had the spec's drain time;
 * 3. when the time for this departure is over first: `disconnect`, and a short grace;
 * 4. `stopping`; `stop` runs lifespan shutdown and the process exits; when it does not in time it is killed.
 */

import { unlinkSync } from "node:fs";
import { deadlineIn, within } from "../base/deadline.ts";
import { randomId } from "../base/ids.ts";
import type { InstanceOrigin } from "../model/instance.ts";
import { bootObject, listenPath } from "./boot.ts";
import { DrainWatch, slotsReturned } from "./drain.ts";
import { plainFailure, type StartFailure } from "./errors.ts";
import { Instance } from "./instance.ts";
import type { ControlLink, ControlServer } from "./local/control.ts";
import { type Launcher, type Running, signalGroup, signalProcess } from "./local/launcher.ts";
import type { InstanceLimits } from "./local/limits.ts";
import { Tail } from "./local/lines.ts";
import type { LogServer } from "./local/logs.ts";
import type { FromWorker, Hello, Ready, ToInstance } from "./local/messages.ts";
import type { Exit, OutputLine, PoolPorts, Route, RowLease } from "./ports.ts";
import { startFailure } from "./report.ts";
import { keptLines, type PoolSpec, timings } from "./settings.ts";

/** What all members of a pool share. */
export interface Host {
  readonly spec: PoolSpec;
  readonly ports: PoolPorts;
  readonly control: ControlServer;
  readonly logs: LogServer;
  /** Zygotes that are not gone. */
  readonly zygotes: Set<{ close(): Promise<void> }>;
  readonly limits: InstanceLimits;
  /** The pool stops: nothing new is started. */
  isStopping(): boolean;
  /** Publishes the list of instances as it is now; resolves when every gateway has acknowledged it. Never rejects. */
  sync(): Promise<void>;
}

export type StartOutcome =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly failure: StartFailure };

export interface Naming {
  readonly id: string;
  readonly generation: number;
  readonly seat: number;
}

/** How a member ended. `uptimeMs`: since ready, 0 when it never was. */
export interface Ending {
  readonly exit: Exit;
  readonly expected: boolean;
  readonly uptimeMs: number;
}

export class Member {
  readonly id: string;
  readonly generation: number;
  readonly seat: number;
  readonly machine: Instance;
  /** Resolves when its process is gone and its row is given back; never rejects. */
  readonly gone: Promise<void>;

  readonly #host: Host;
  readonly #launcher: Launcher;
  readonly #ended: (member: Member, ending: Ending) => void;
  readonly #bornAt: number;
  readonly #tail = new Tail(keptLines);
  readonly #outcome = Promise.withResolvers<StartOutcome>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  readonly #controlEnded = Promise.withResolvers<void>();
  #row: RowLease | undefined;
  #link: ControlLink | undefined;
  #running: Running | undefined;
  #failed: (FromWorker & { type: "failed" }) | undefined;
  #ready: Ready | undefined;
  /** It was ready before whoever launched it had said so: its message waits until the process is known. */
  #early: Ready | undefined;
  #readyAt = 0;
  #readyWall = 0;
  #timedOut = false;
  #connected = false;
  #cancelTimer = () => {};
  #retiring: Promise<void> | undefined;
  #drain: DrainWatch | undefined;
  /** When what is in flight has to be done, and the time it was given last; it only ever comes nearer. */
  #drainUntil = Number.POSITIVE_INFINITY;
  #drainMs = Number.POSITIVE_INFINITY;

  /** @param ended called once, as soon as its process is known to be gone; not when it never had one */
  constructor(
    host: Host,
    launcher: Launcher,
    naming: Naming,
    ended: (member: Member, ending: Ending) => void,
  ) {
    this.#host = host;
    this.#launcher = launcher;
    this.#ended = ended;
    this.id = naming.id;
    this.generation = naming.generation;
    this.seat = naming.seat;
    this.gone = this.#gone.promise;
    this.#bornAt = host.ports.clock.now();
    this.machine = new Instance(naming.id, (change) => {
      host.ports.event({ kind: "state", instance: this.id, generation: this.generation, ...change });
    });
  }

  get pid(): number {
    return this.#running?.pid ?? 0;
  }

  get origin(): InstanceOrigin {
    return this.#running?.origin ?? (this.#launcher.level === "off" ? "spawn" : "fork");
  }

  get ageMs(): number {
    return this.#host.ports.clock.now() - this.#bornAt;
  }

  get row(): number {
    return this.#row?.row ?? -1;
  }

  /** What the worker said when it was ready. */
  get ready(): Ready | undefined {
    return this.#ready;
  }

  /** Milliseconds by phase: spawn or fork, then what the worker measured. */
  get phases(): Readonly<Record<string, number>> {
    if (this.#running === undefined) return {};
    return { [this.#running.origin]: this.#running.launchMs, ...this.#ready?.phases };
  }

  /** For the gateways' list; undefined unless it takes requests. */
  get route(): Route | undefined {
    if (this.machine.state !== "ready" || this.#row === undefined) return undefined;
    const socket = listenPath(this.#host.spec, this.id);
    const { id, generation, phases } = this;
    return { id, row: this.#row.row, socket, generation, phases, readyAt: this.#readyWall };
  }

  /** Launches it. Resolves when it is ready or has failed; never rejects. */
  async start(): Promise<StartOutcome> {
    const { spec, ports, control, logs } = this.#host;
    this.#row = ports.rows.acquire(spec.concurrency);
    if (this.#row === undefined) {
      this.#neverRan(plainFailure("table_full"));
      return this.#outcome.promise;
    }
    const token = randomId(26);
    this.#link = control.expect(this.id, token, "instance", this.#controlUser());
    logs.expect(this.id, token, this.#line);
    this.#cancelTimer = ports.clock.after(spec.startupTimeoutMs, () => this.#startTimeout());
    const identity = {
      id: this.id,
      token,
      role: "instance",
      preload: this.#launcher.level,
      row: this.#row,
    } as const;
    const boot = bootObject(spec, identity, {
      control: control.path,
      logs: logs.path,
      memoryRlimit: this.#host.limits.memoryRlimit,
    });
    const launched = await this.#launcher.launch(boot, this.#line);
    if (launched.kind === "failed") {
      this.#neverRan(launched.failure);
      return this.#outcome.promise;
    }
    this.#running = launched.running;
    const { limits } = this.#host;
    const { pid, origin } = launched.running;
    limits.hold(this.id, pid);
    ports.event({ kind: "started", instance: this.id, pid, origin });
    void launched.running.exited.then((exit) => this.#onExit({ ...exit, ...limits.release(this.id) }));
    if (this.machine.state !== "starting" || this.#timedOut) this.kill("it is no longer wanted");
    else if (this.#early !== undefined) this.#onReady(this.#early);
    return this.#outcome.promise;
  }

  /**
   * Writes the stacks of all its threads to its stderr, which is the log. False when it is not there, or starts: before it has
   * installed its handler the signal would end it.
   */
  dumpStacks(): boolean {
    if (this.#running === undefined || this.machine.isOver || this.#ready === undefined) return false;
    signalProcess(this.#running.pid, "SIGUSR2");
    return true;
  }

  /** Says that it is stuck, with its stacks. */
  reportStuck(reason: string): void {
    this.#host.ports.event({ kind: "stuck", instance: this.id, reason, graceMs: timings.stuckGraceMs });
    this.dumpStacks();
  }

  /**
   * Drains and stops it (see above). Resolves when it is gone. A second call waits for the first, and may hasten it.
   * @param drainMs time for requests in flight
   */
  retire(why: string, drainMs: number): Promise<void> {
    this.#hasten(drainMs);
    this.#retiring ??= this.#retire(why);
    return this.#retiring;
  }

  /**
   * Takes it out of routing and ends it: its other requests may finish for `graceMs`, then it is killed. For an instance
   * that does not answer any more. Resolves when it is gone.
   */
  expel(why: string, graceMs: number): Promise<void> {
    this.#hasten(graceMs);
    this.#retiring ??= this.#expel(why);
    return this.#retiring;
  }

  /** Ends it now, whatever it does. */
  kill(why: string): void {
    if (this.machine.isOver) return;
    if (this.machine.state === "ready") this.machine.become("draining", why);
    if (this.machine.state !== "stopping") this.machine.become("stopping", why);
    if (this.#row !== undefined) this.#host.ports.rows.close(this.#row.row);
    void this.#host.sync();
    const running = this.#running;
    if (running === undefined) return;
    this.#host.ports.event({ kind: "killed", instance: this.id, pid: running.pid, why });
    signalGroup(running.pid, "SIGKILL");
  }

  #hasten(drainMs: number): void {
    const now = this.#host.ports.clock.now();
    if (now + drainMs >= this.#drainUntil) return;
    this.#drainUntil = now + drainMs;
    this.#drainMs = drainMs;
    this.#drain?.hasten(drainMs);
  }

  async #expel(why: string): Promise<void> {
    const emptied = this.machine.state === "ready" && (await this.#leave(why));
    if (!emptied) this.kill(why);
    else await this.#stop(why);
    return this.gone;
  }

  async #retire(why: string): Promise<void> {
    if (this.machine.state === "ready" && !(await this.#leave(why))) await this.#cutOff();
    await this.#stop(why);
    return this.gone;
  }

  /** The drain time is over: tells what is left that it is disconnected, and gives it a moment. */
  async #cutOff(): Promise<void> {
    if (this.machine.state !== "draining") return;
    const drainMs = this.#drainMs;
    const inFlight = this.#host.ports.rows.inFlight(this.#row!.row);
    if (drainMs > 0 || inFlight > 0) {
      this.#host.ports.event({ kind: "drain-over", instance: this.id, inFlight, drainMs });
    }
    this.#send({ type: "disconnect" });
    await this.#emptied(timings.disconnectGraceMs);
  }

  /** Takes it out of routing, then waits for what it has. False when that took longer than it may. */
  async #leave(why: string): Promise<boolean> {
    const { clock, rows } = this.#host.ports;
    this.machine.become("draining", why);
    this.#drain = new DrainWatch(clock, rows, this.#row!.row, () => this.#send({ type: "stats" }));
    rows.close(this.#row!.row);
    await this.#host.sync();
    this.#send({ type: "drain" });
    const cancel = this.#endLasting();
    const emptied = await this.#emptied(this.#drainUntil - clock.now());
    cancel();
    return emptied;
  }

  /** Once in a drain time: whatever has lasted since the time before is told to end. The worker keeps account from `drain` on. */
  #endLasting(): () => void {
    const { spec, ports } = this.#host;
    const everyMs = Math.max(spec.drainMs, timings.lastingLeastMs);
    let cancel = () => {};
    const next = () => {
      cancel = ports.clock.after(everyMs, () => {
        this.#send({ type: "disconnect", begun: true });
        next();
      });
    };
    next();
    return () => cancel();
  }

  #emptied(budgetMs: number): Promise<boolean> {
    return this.#drain?.wait(budgetMs, this.#exited.promise) ?? Promise.resolve(true);
  }

  async #stop(why: string): Promise<void> {
    const { shutdownTimeoutMs } = this.#host.spec;
    if (this.machine.isOver) return;
    if (this.machine.state !== "stopping") this.machine.become("stopping", why);
    // Before it was ready it serves nobody, and may be deep in an import: it is not waited for long.
    const patience = this.#ready === undefined ? 0 : shutdownTimeoutMs;
    const asked = this.#send({ type: "stop", timeout_ms: patience });
    const budget = asked ? patience + timings.termGraceMs : 0;
    if (await this.#exitsWithin(budget)) return;
    if (this.#running !== undefined) signalGroup(this.#running.pid, "SIGTERM");
    if (await this.#exitsWithin(asked ? timings.termGraceMs : 0)) return;
    this.kill(asked ? "it did not stop in time" : "it cannot be asked to stop");
  }

  async #exitsWithin(ms: number): Promise<boolean> {
    if (ms === 0) return this.machine.isOver;
    const { clock } = this.#host.ports;
    await within(clock, deadlineIn(clock, ms), this.#exited.promise);
    return this.machine.isOver;
  }

  #send(message: ToInstance): boolean {
    return this.#link?.send(message) ?? false;
  }

  #line = (line: OutputLine): void => {
    if (line.stream === "stderr") this.#tail.push(line.line);
    this.#host.ports.output(line);
  };

  #controlUser() {
    return {
      connected: (_: Hello) => {
        this.#connected = true;
      },
      message: (message: Exclude<FromWorker, Hello>) => this.#message(message),
      closed: () => {
        this.#controlEnded.resolve();
        // Its control connection is its life line. Closed with the process still there, it is not ours to steer any more.
        this.#expectExit("it closed its control connection");
      },
    };
  }

  #message(message: Exclude<FromWorker, Hello>): void {
    switch (message.type) {
      case "ready":
        this.#onReady(message);
        break;
      case "failed":
        this.#failed = message;
        this.#expectExit("it failed to start and did not exit");
        break;
      case "idle":
        this.#drain?.idle();
        break;
      case "stats":
        this.#drain?.stats(message.streams);
        break;
      case "released":
        this.#host.ports.gatewayReleased(this.id, message.gateway);
        break;
    }
  }

  #onReady(message: Ready): void {
    if (this.machine.state !== "starting" || this.#ready !== undefined) return;
    if (this.#running === undefined) {
      this.#early = message;
      return;
    }
    const { clock, event } = this.#host.ports;
    this.#cancelTimer();
    this.#ready = message;
    this.#readyAt = clock.now();
    this.#readyWall = clock.wall();
    this.machine.become("ready", "the app is imported and its lifespan has started");
    const { pid, origin, phases } = this;
    event({ kind: "ready", instance: this.id, pid, origin, startMs: this.ageMs, phases });
    this.#outcome.resolve({ kind: "ready" });
  }

  #expectExit(why: string): void {
    if (this.machine.isOver) return;
    const cancel = this.#host.ports.clock.after(timings.exitGraceMs, () => {
      this.#host.ports.event({ kind: "killed", instance: this.id, pid: this.pid, why });
      if (this.#running !== undefined) signalGroup(this.#running.pid, "SIGKILL");
    });
    void this.#exited.promise.then(cancel);
  }

  #startTimeout(): void {
    if (this.machine.state !== "starting") return;
    this.#timedOut = true;
    if (this.#running !== undefined) signalProcess(this.#running.pid, "SIGUSR2");
    // The stacks are written by a signal handler: give it a moment before the process is gone.
    const cancel = this.#host.ports.clock.after(timings.termGraceMs, () => {
      if (this.#running !== undefined) signalGroup(this.#running.pid, "SIGKILL");
    });
    void this.#exited.promise.then(cancel);
  }

  #neverRan(failure: StartFailure): void {
    this.#cancelTimer();
    const wanted = this.machine.state === "starting";
    this.machine.become(wanted ? "failed" : "stopped", failure.message);
    this.#exited.resolve();
    this.#outcome.resolve({ kind: "failed", failure });
    void this.#release();
  }

  #onExit(exit: Exit): void {
    const { clock, rows } = this.#host.ports;
    const { state } = this.machine;
    const expected = state === "stopping";
    const uptimeMs = this.#readyAt === 0 ? 0 : clock.now() - this.#readyAt;
    this.#cancelTimer();
    if (this.#row !== undefined) rows.close(this.#row.row);
    this.machine.become(expected ? "stopped" : "failed", expected ? "it exited" : "it exited by itself");
    this.#exited.resolve();
    this.#ended(this, { exit, expected, uptimeMs });
    void this.#afterExit(exit, expected, uptimeMs);
  }

  /** Collects its last lines and messages, says what happened, gives back what it held. */
  async #afterExit(exit: Exit, expected: boolean, uptimeMs: number): Promise<void> {
    const { clock, event } = this.#host.ports;
    // A connection that was not seen may be in a listener's queue, or was never made: it gets less time.
    const until = (seen: boolean, end: Promise<void>) =>
      within(clock, deadlineIn(clock, seen ? timings.lastWordsMs : timings.connectGraceMs), end);
    const { logs } = this.#host;
    await Promise.all([
      until(this.#connected, this.#controlEnded.promise),
      until(logs.isConnected(this.id), logs.ended(this.id)),
      until(true, this.#running?.outputEnded ?? Promise.resolve()),
    ]);
    const output = this.#tail.lines;
    if (this.#ready === undefined) {
      const failure = startFailure({
        failed: this.#failed,
        timedOut: this.#timedOut,
        expected,
        exit,
        output,
      });
      if (!expected) event({ kind: "start-failed", instance: this.id, failure });
      this.#outcome.resolve({ kind: "failed", failure });
    } else if (!expected) {
      event({ kind: "crashed", instance: this.id, pid: this.pid, exit, uptimeMs, output });
    }
    await this.#release();
  }

  async #release(): Promise<void> {
    const { clock, rows } = this.#host.ports;
    this.#link?.drop();
    this.#host.logs.forget(this.id);
    await this.#host.sync();
    if (this.#row !== undefined) {
      await slotsReturned(clock, rows, this.#row.row, timings.lastWordsMs);
      rows.free(this.#row.row);
    }
    try {
      unlinkSync(listenPath(this.#host.spec, this.id));
    } catch {
      // It never listened, or removed its socket itself.
    }
    this.#gone.resolve();
  }
}
