/** The story's side of test/apps/stage.py: app calls announce themselves here and wait for a word. */
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { scratchFolder, until } from "./harness.ts";

export interface Call {
  readonly key: string;
  readonly pid: number;
  /** What the app said so far ("disconnected", "oserror", "closed"). */
  readonly said: string[];
  /** The app's side is over: it returned, or its process is gone. */
  ended: boolean;
  tell(word: string): void;
}

export class Stage {
  readonly calls: Call[] = [];
  /** Most calls that ran at the same time, over all processes and by process. */
  peak = 0;
  readonly peakByPid = new Map<number, number>();
  #changed = Promise.withResolvers<void>();
  /** While set, every call is told this word as it begins. */
  #always: string | undefined;

  private constructor(
    readonly path: string,
    readonly server: Server,
    readonly folder: Disposable,
  ) {
    server.on("connection", (socket) => this.#take(socket));
  }

  static async open(): Promise<Stage> {
    const folder = scratchFolder();
    const path = join(folder.path, "stage.sock");
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    return new Stage(path, server, folder);
  }

  /** What the app needs in its environment. */
  get env(): Record<string, string> {
    return { STAGE: this.path };
  }

  running(): Call[] {
    return this.calls.filter((call) => !call.ended);
  }

  begun(key: string): Promise<Call> {
    return this.waitFor(`the call ${key} to begin`, () => this.calls.find((call) => call.key === key));
  }

  ended(call: Call): Promise<true> {
    return this.waitFor(`the call ${call.key} to end`, () => call.ended || undefined);
  }

  waitFor<T>(what: string, ready: () => T | undefined): Promise<T> {
    return until(what, ready, () => this.#changed.promise);
  }

  /** Lets all go on: those that wait, and those that come. */
  release(word = "go"): void {
    this.#always = word;
    for (const call of this.running()) call.tell(word);
  }

  #take(socket: Socket): void {
    let call: Call | undefined;
    let rest = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (call === undefined) call = this.#begin(line, socket);
        else if (line === "end") {
          call.ended = true;
          socket.write("noted\n");
        } else call.said.push(line);
      }
      this.#announce();
    });
    socket.on("close", () => {
      if (call !== undefined) call.ended = true;
      this.#announce();
    });
  }

  #begin(line: string, socket: Socket): Call {
    const [, key = "", pid = "0"] = line.split(" ");
    const call: Call = {
      key,
      pid: Number(pid),
      said: [],
      ended: false,
      tell: (word) => {
        socket.write(`${word}\n`);
      },
    };
    this.calls.push(call);
    const running = this.running();
    const here = running.filter((other) => other.pid === call.pid).length;
    this.peak = Math.max(this.peak, running.length);
    this.peakByPid.set(call.pid, Math.max(this.peakByPid.get(call.pid) ?? 0, here));
    if (this.#always !== undefined) call.tell(this.#always);
    return call;
  }

  #announce(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }

  [Symbol.dispose](): void {
    this.server.close();
    rmSync(this.path, { force: true });
    this.folder[Symbol.dispose]();
  }
}
