/**
 * Lines to a file descriptor (stdout, stderr) that several processes may share: never torn, never blocking the event loop, none lost
 * while the reader keeps up or comes back within the buffer.
 *
 * ```
 *            write()              timer                     all written
 *   idle ─────────────▶ lingering ─────▶ writing ──────────────────────▶ idle
 *                                         │   ▲
 *                              reader full▼   │a piece was taken
 *                                        waiting
 *                any state ── reader gone ──▶ broken (lines are dropped)
 * ```
 *
 * A pipe takes up to PIPE_BUF bytes whole or not at all, so pieces for pipes, terminals and sockets end at a line within 4096 bytes;
 * that is what keeps lines of several gateways apart. Pipes and terminals are opened a second time without blocking (our own file
 * description, so that others who share the descriptor see no change), and written to directly; when one is full, a helper
 * thread waits in a blocking write. Files never block. Whatever cannot be opened again is written by the helper thread only.
 */

import { closeSync, constants, fstatSync, openSync, write as writeLater, writeSync } from "node:fs";
import { systemCode } from "../base/errors.ts";

/** Takes lines. */
export interface LineWriter {
  /** Takes a line with its line feed; bytes are copied. Never blocks, never throws. */
  write(line: string | Uint8Array): void;
  /** Writes what a reader takes without waiting. For the last moment before a process dies. */
  flushNow(): void;
  /** Writes everything out and stops taking lines. False when `ms` passed before all was taken. */
  close(ms: number): Promise<boolean>;
}

export interface LineWriterOptions {
  /** Lines are collected this long before they are written together; 0: to the end of the event loop's turn. */
  readonly lingerMs: number;
  /** Bytes that may wait for a slow reader. Beyond it lines are dropped. Default 16 MiB. */
  readonly maxBuffered?: number;
  /** The line that stands in place of `count` dropped ones, with its line feed. */
  readonly dropped: (count: number) => string;
}

/** POSIX lets PIPE_BUF be as small as 512; Linux and macOS write this many bytes and 512 as one. */
const PIECE = process.platform === "linux" ? 4_096 : 512;
const FILE_PIECE = 1 << 20;
/** Lines are collected in a buffer of this size, and written once half of it is full. */
const BATCH = 1 << 16;
/** Wait before the next try when even the blocking descriptor says that it would block. */
const RETRY_MS = 10;

type State = "idle" | "lingering" | "writing" | "waiting" | "broken";

const EDGES: Readonly<Record<State, readonly State[]>> = {
  idle: ["lingering", "writing"],
  lingering: ["writing"],
  writing: ["idle", "waiting", "broken"],
  waiting: ["writing", "broken"],
  broken: [],
};

/** A writer on an open descriptor, which stays the caller's: it is not closed. */
export function lineWriter(fd: number, options: LineWriterOptions): LineWriter {
  return new DescriptorWriter(fd, options);
}

class DescriptorWriter implements LineWriter {
  readonly #fd: number;
  readonly #options: LineWriterOptions;
  readonly #maxBuffered: number;
  readonly #piece: number;
  /** For direct writes; -1 when only the helper thread may write. */
  #direct: number;
  readonly #ownsDirect: boolean;
  #state: State = "idle";
  #timer: ReturnType<typeof setTimeout> | ReturnType<typeof setImmediate> | null = null;
  /** Collects lines; the first `#used` bytes are taken. */
  #batch: Buffer = Buffer.allocUnsafeSlow(BATCH);
  #used = 0;
  /** A batch that has been written, for the next turn. */
  #spare: Buffer | null = null;
  /** Bytes that wait; `#offset` of the first one are written. */
  #queue: Buffer[] = [];
  #offset = 0;
  #queued = 0;
  #lost = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(fd: number, options: LineWriterOptions) {
    this.#fd = fd;
    this.#options = options;
    this.#maxBuffered = options.maxBuffered ?? 16 * 1_048_576;
    const { kind, direct } = openDirect(fd);
    this.#direct = direct;
    this.#ownsDirect = direct !== -1 && direct !== fd;
    this.#piece = kind === "file" ? FILE_PIECE : PIECE;
  }

  write(line: string | Uint8Array): void {
    if (this.#state === "broken" || this.#closed) return;
    if (this.#queued + this.#used > this.#maxBuffered) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) this.#sayLost();
    this.#append(line);
    if (this.#state === "idle") this.#linger();
    else if (this.#state === "lingering" && this.#used > BATCH / 2) this.#flush();
  }

  flushNow(): void {
    if (this.#state === "idle" || this.#state === "lingering") this.#flush();
  }

  close(ms: number): Promise<boolean> {
    this.flushNow();
    this.#closed = true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const finish = (all: boolean) => {
      clearTimeout(timer);
      if (all && this.#ownsDirect && this.#direct !== -1) closeSync(this.#direct);
      this.#direct = -1;
      resolve(all);
    };
    const timer = setTimeout(() => finish(false), ms);
    if (this.#state === "idle" || this.#state === "broken") finish(true);
    else this.#idle.push(() => finish(true));
    return promise;
  }

  #become(state: State): void {
    if (!EDGES[this.#state].includes(state))
      throw new Error(`line writer: ${this.#state} cannot become ${state}`);
    this.#state = state;
  }

  #linger(): void {
    this.#become("lingering");
    const flush = () => this.#flush();
    this.#timer =
      this.#options.lingerMs === 0 ? setImmediate(flush) : setTimeout(flush, this.#options.lingerMs);
  }

  #sayLost(): void {
    this.#append(this.#options.dropped(this.#lost));
    this.#lost = 0;
  }

  #flush(): void {
    if (this.#timer !== null) {
      clearTimeout(this.#timer as ReturnType<typeof setTimeout>);
      clearImmediate(this.#timer as ReturnType<typeof setImmediate>);
      this.#timer = null;
    }
    this.#become("writing");
    this.#writeOut();
  }

  /** Writes until everything is out or the reader is full. */
  #writeOut(): void {
    while (this.#writeQueue()) {
      if (this.#lost === 0) {
        this.#become("idle");
        this.#tellIdle();
        return;
      }
      this.#sayLost();
    }
  }

  /** True when all is out; false when the helper thread waits for the reader, or there is no reader any more. */
  #writeQueue(): boolean {
    for (;;) {
      this.#enqueueBatch();
      const head = this.#queue[0];
      if (head === undefined) return true;
      const length = this.#pieceLength(head);
      if (this.#direct === -1) {
        this.#writeBlocking(head, length);
        return false;
      }
      try {
        this.#taken(writeSync(this.#direct, head, this.#offset, length));
      } catch (error) {
        const code = systemCode(error);
        if (code === "EAGAIN") this.#writeBlocking(head, length);
        else if (code !== "EINTR") this.#break();
        if (code !== "EINTR") return false;
      }
    }
  }

  #append(line: string | Uint8Array): void {
    // UTF-8 has at most three bytes for what is one character of a string.
    const most = typeof line === "string" ? line.length * 3 : line.length;
    if (this.#used + most > BATCH) this.#enqueueBatch();
    if (most > BATCH) this.#enqueue(Buffer.from(line as string));
    else if (typeof line === "string") this.#used += this.#batch.write(line, this.#used);
    else {
      this.#batch.set(line, this.#used);
      this.#used += line.length;
    }
  }

  #enqueueBatch(): void {
    if (this.#used === 0) return;
    this.#enqueue(this.#batch.subarray(0, this.#used));
    this.#batch = this.#spare ?? Buffer.allocUnsafeSlow(BATCH);
    this.#spare = null;
    this.#used = 0;
  }

  #enqueue(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queued += bytes.length;
  }

  /** As many whole lines as fit into a piece; a line that does not fit goes alone. */
  #pieceLength(head: Uint8Array): number {
    const rest = head.length - this.#offset;
    if (rest <= this.#piece) return rest;
    const last = head.lastIndexOf(10, this.#offset + this.#piece - 1);
    if (last >= this.#offset) return last + 1 - this.#offset;
    const next = head.indexOf(10, this.#offset);
    return next === -1 ? rest : next + 1 - this.#offset;
  }

  #taken(bytes: number): void {
    this.#offset += bytes;
    this.#queued -= bytes;
    const head = this.#queue[0]!;
    if (this.#offset < head.length) return;
    this.#queue.shift();
    this.#offset = 0;
    if (head.buffer.byteLength === BATCH) this.#spare = Buffer.from(head.buffer);
  }

  /** One piece by the helper thread, which may wait for the reader. */
  #writeBlocking(head: Uint8Array, length: number): void {
    this.#become("waiting");
    writeLater(this.#fd, head, this.#offset, length, null, (error, bytes) => {
      const code = error === null ? "" : systemCode(error);
      if (error === null) this.#taken(bytes);
      if (code === "EAGAIN") setTimeout(() => this.#flush(), RETRY_MS);
      else if (code === "" || code === "EINTR") this.#flush();
      else this.#break();
    });
  }

  /** The reader is gone for good. */
  #break(): void {
    this.#become("broken");
    this.#used = 0;
    this.#queue = [];
    this.#tellIdle();
  }

  #tellIdle(): void {
    for (const told of this.#idle.splice(0)) told();
  }
}

/** What kind of thing a descriptor is, and a descriptor that can be written without blocking, or -1. */
function openDirect(fd: number): { readonly kind: "file" | "stream"; readonly direct: number } {
  try {
    const info = fstatSync(fd);
    if (info.isFile()) return { kind: "file", direct: fd };
    if (!info.isFIFO() && !info.isCharacterDevice()) return { kind: "stream", direct: -1 };
    const path = process.platform === "linux" ? `/proc/self/fd/${fd}` : `/dev/fd/${fd}`;
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    return { kind: "stream", direct: openSync(path, flags) };
  } catch {
    return { kind: "stream", direct: -1 };
  }
}
