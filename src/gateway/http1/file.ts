/** A file as a response body: read piece by piece, as the client takes it. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { flushAll } from "../flush.ts";

const PIECE = 256 * 1024;

/** Who gets the file. Called from the event loop's own callbacks, never from within `pull`. */
export interface FileTaker {
  /** It is a regular file of `size` bytes. False: no body is wanted. */
  opened(size: number): boolean;
  chunk(chunk: Uint8Array, end: boolean): void;
  /** It cannot be opened, is no regular file, or became shorter while it was sent. */
  failed(): void;
}

/** Reads one file. One piece is under way at a time: the memory of a download does not depend on the file. */
export class FileSender {
  private handle: FileHandle | null = null;
  private closed = false;
  private reading = false;
  private offset = 0;
  private size = 0;

  constructor(
    path: string,
    private readonly taker: FileTaker,
  ) {
    void this.open(path);
  }

  /** Reads the next piece unless one is under way. */
  pull(): void {
    if (this.handle !== null && !this.reading && !this.closed) void this.read(this.handle);
  }

  /** Stops, and closes the file. */
  close(): void {
    this.closed = true;
    if (!this.reading) this.release();
  }

  private release(): void {
    const { handle } = this;
    this.handle = null;
    // Nothing was written, so there is nothing that a failing close could lose.
    handle?.close().catch(() => undefined);
  }

  private async open(path: string): Promise<void> {
    this.reading = true;
    let regular = false;
    try {
      // Without O_NONBLOCK the open of a named pipe would wait for a writer.
      this.handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stat = await this.handle.stat();
      regular = stat.isFile();
      this.size = stat.size;
    } catch {
      regular = false;
    }
    this.reading = false;
    if (this.closed) this.release();
    else if (!regular) this.fail();
    else if (this.taker.opened(this.size)) this.begin();
    else this.close();
    flushAll();
  }

  private begin(): void {
    if (this.size > 0) {
      this.pull();
      return;
    }
    this.taker.chunk(new Uint8Array(0), true);
    this.close();
  }

  private async read(handle: FileHandle): Promise<void> {
    this.reading = true;
    const piece = new Uint8Array(Math.min(PIECE, this.size - this.offset));
    let bytes = 0;
    try {
      bytes = (await handle.read(piece, 0, piece.length, this.offset)).bytesRead;
    } catch {
      bytes = 0;
    }
    this.reading = false;
    if (this.closed) {
      this.release();
      return;
    }
    if (bytes === 0) this.fail();
    else {
      this.offset += bytes;
      const end = this.offset >= this.size;
      this.taker.chunk(bytes === piece.length ? piece : piece.subarray(0, bytes), end);
      if (end) this.close();
    }
    flushAll();
  }

  private fail(): void {
    this.close();
    this.taker.failed();
  }
}
