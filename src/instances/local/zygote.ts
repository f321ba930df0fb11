/**
 * The platform's side of a zygote: starts it, hears what its preflight found, asks for forks, hears how its children ended.
 *
 * ```
 *  starting ──ready──▶ ready ──control closed or exit──▶ gone
 *      └──failed, exit, timeout──▶ gone
 * ```
 *
 * A zygote's end is its children's end (the kernel kills them): whoever waits for one of them is told.
 */

import { deadlineIn, within } from "../../base/deadline.ts";
import { randomId } from "../../base/ids.ts";
import { bootObject } from "../boot.ts";
import { plainFailure, type StartFailure } from "../errors.ts";
import type { Host } from "../member.ts";
import type { Exit, OutputLine } from "../ports.ts";
import { startFailure } from "../report.ts";
import { keptLines, timings } from "../settings.ts";
import type { ControlLink } from "./control.ts";
import { type LaunchResult, type Running, signalGroup } from "./launcher.ts";
import { Tail } from "./lines.ts";
import type { Boot, Failed, Finding, FromWorker, Hello } from "./messages.ts";
import { signalName, spawnWorker } from "./spawn.ts";

export type ZygoteStart =
  | { readonly kind: "ready"; readonly zygote: Zygote }
  | { readonly kind: "failed"; readonly failure: StartFailure };

interface PendingFork {
  readonly began: number;
  readonly line: (line: OutputLine) => void;
  readonly resolve: (result: LaunchResult) => void;
}

type State = "starting" | "ready" | "gone";

export class Zygote {
  readonly id = `z-${randomId(6)}`;
  readonly level: "app" | "imports";
  /** What its import left behind, and the level that holds by that; known when it is ready. */
  findings: readonly Finding[] = [];
  holds: "app" | "imports" | "off";
  /** Resolves when its process is gone. */
  readonly gone: Promise<Exit>;

  readonly #host: Host;
  readonly #gone = Promise.withResolvers<Exit>();
  readonly #started = Promise.withResolvers<ZygoteStart>();
  readonly #controlEnded = Promise.withResolvers<void>();
  readonly #tail = new Tail(keptLines);
  readonly #forks = new Map<string, PendingFork>();
  readonly #children = new Map<string, (exit: Exit) => void>();
  #state: State = "starting";
  #running: Running | undefined;
  #link: ControlLink | undefined;
  #failed: Failed | undefined;
  #connected = false;
  #timedOut = false;
  #closing = false;
  #cancelTimer = () => {};

  private constructor(host: Host, level: "app" | "imports") {
    this.#host = host;
    this.level = level;
    this.holds = level;
    this.gone = this.#gone.promise;
  }

  /** Starts a zygote. Resolves when it is ready to fork, or has failed; never rejects. */
  static start(host: Host, level: "app" | "imports"): Promise<ZygoteStart> {
    if (host.isStopping())
      return Promise.resolve({ kind: "failed", failure: plainFailure("start_cancelled") });
    return new Zygote(host, level).#start();
  }

  get isGone(): boolean {
    return this.#state === "gone";
  }

  /** Forks an instance. `line` takes what it writes before it uses the log socket. */
  fork(boot: Boot, line: (line: OutputLine) => void): Promise<LaunchResult> {
    const { promise, resolve } = Promise.withResolvers<LaunchResult>();
    if (this.#state !== "ready" || this.#link?.send({ type: "fork", id: boot.id, boot }) !== true) {
      resolve(this.#noFork());
      return promise;
    }
    this.#forks.set(boot.id, { began: performance.now(), line, resolve });
    return promise;
  }

  /** Has it exit. Resolves when it is gone. Idempotent. */
  async close(): Promise<void> {
    const { clock } = this.#host.ports;
    this.#closing = true;
    this.#link?.drop();
    if (this.#running === undefined) return;
    // Deep in an import it would not notice; and it has no children yet.
    if (this.#state === "starting") signalGroup(this.#running.pid, "SIGKILL");
    const cancel = clock.after(timings.termGraceMs, () => signalGroup(this.#running?.pid ?? 0, "SIGKILL"));
    await this.gone;
    cancel();
  }

  #start(): Promise<ZygoteStart> {
    const { spec, ports, control, logs } = this.#host;
    const token = randomId(26);
    this.#link = control.expect(this.id, token, "zygote", {
      connected: () => {
        this.#connected = true;
      },
      message: (message) => this.#message(message),
      closed: () => this.#controlEnded.resolve(),
    });
    const identity = { id: this.id, token, role: "zygote", preload: this.level, row: null } as const;
    const boot = bootObject(spec, identity, { control: control.path, logs: logs.path, memoryRlimit: 0 });
    const launched = spawnWorker(spec, boot, this.#line);
    if (launched.kind === "failed") {
      this.#state = "gone";
      this.#link.drop();
      return Promise.resolve(launched);
    }
    this.#running = launched.running;
    this.#host.zygotes.add(this);
    this.#cancelTimer = ports.clock.after(spec.startupTimeoutMs, () => this.#timeout());
    void launched.running.exited.then((exit) => this.#onExit(exit));
    return this.#started.promise;
  }

  #line = (line: OutputLine): void => {
    if (line.stream === "stderr") this.#tail.push(line.line);
    this.#host.ports.output(line);
  };

  #message(message: Exclude<FromWorker, Hello>): void {
    switch (message.type) {
      case "preflight":
        this.findings = message.findings;
        this.holds = message.level;
        break;
      case "ready":
        if (this.#state !== "starting") break;
        this.#cancelTimer();
        this.#state = "ready";
        this.#started.resolve({ kind: "ready", zygote: this });
        break;
      case "failed":
        if (message.stage === "fork" && message.id !== "") this.#forkFailed(message);
        else this.#failed = message;
        break;
      case "forked":
        this.#forked(message.id, message.pid, message.ms);
        break;
      case "exited":
        this.#childExited(message.id, { status: message.status, signal: signalName(message.signal) });
        break;
    }
  }

  #forked(id: string, pid: number, launchMs: number): void {
    const pending = this.#forks.get(id);
    this.#forks.delete(id);
    const { promise: exited, resolve } = Promise.withResolvers<Exit>();
    this.#children.set(id, resolve);
    // Before the child uses the log socket it writes to the zygote's pipes, which stay open.
    const outputEnded = Promise.resolve();
    pending?.resolve({ kind: "running", running: { pid, origin: "fork", launchMs, exited, outputEnded } });
  }

  #forkFailed(message: Failed): void {
    const pending = this.#forks.get(message.id);
    this.#forks.delete(message.id);
    const words = { failed: message, timedOut: false, expected: false, output: [] };
    const exit = { status: null, signal: null };
    pending?.resolve({ kind: "failed", failure: startFailure({ ...words, exit }) });
  }

  #childExited(id: string, exit: Exit): void {
    const resolve = this.#children.get(id);
    this.#children.delete(id);
    resolve?.(exit);
  }

  #timeout(): void {
    const pid = this.#running?.pid;
    if (this.#state !== "starting" || pid === undefined) return;
    this.#timedOut = true;
    signalGroup(pid, "SIGUSR2");
    const cancel = this.#host.ports.clock.after(timings.termGraceMs, () => signalGroup(pid, "SIGKILL"));
    void this.gone.then(cancel);
  }

  /** It is gone: its children are, and no fork that was asked for comes. */
  #loseAll(): void {
    const killed = { status: null, signal: "SIGKILL", zygote: this.id };
    for (const id of [...this.#children.keys()]) this.#childExited(id, killed);
    for (const { resolve } of this.#forks.values()) resolve(this.#noFork());
    this.#forks.clear();
  }

  #noFork(): LaunchResult {
    const exit = { status: null, signal: null, zygote: this.id };
    return { kind: "failed", failure: { ...plainFailure("fork_failed", "The zygote is gone."), exit } };
  }

  async #onExit(exit: Exit): Promise<void> {
    const { clock, event } = this.#host.ports;
    const wasReady = this.#state === "ready";
    this.#state = "gone";
    this.#cancelTimer();
    // Its last messages (a failure, children that ended before it) may still be on their way.
    const wait = this.#connected ? timings.lastWordsMs : timings.connectGraceMs;
    const control = within(clock, deadlineIn(clock, wait), this.#controlEnded.promise);
    const lastWords = Promise.all([this.#running?.outputEnded, control]);
    await within(clock, deadlineIn(clock, timings.lastWordsMs), lastWords);
    this.#link?.drop();
    const instances = this.#children.size;
    if (!this.#closing && wasReady) event({ kind: "zygote-exited", zygote: this.id, exit, instances });
    this.#loseAll();
    const words = { failed: this.#failed, timedOut: this.#timedOut, expected: this.#closing };
    this.#started.resolve({
      kind: "failed",
      failure: startFailure({ ...words, exit: { ...exit, zygote: this.id }, output: this.#tail.lines }),
    });
    this.#host.zygotes.delete(this);
    this.#gone.resolve(exit);
  }
}
