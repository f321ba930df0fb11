/**
 * How one gateway process calls another: a slot may be free for the first request in your part of a line.
 * Each listens on a Unix socket of its own, a byte is a call: to look at the lines of all services. Their shared tables remember
 * that a call is under way, so that a burst of freed slots is one byte.
 */

import { rmSync } from "node:fs";
import type { Socket, UnixSocketListener } from "bun";
import type { SlotTable } from "../gateway/table.ts";

const CALL = new Uint8Array([1]);

export class Doorbell {
  readonly #runDir: string;
  readonly #listener: UnixSocketListener<undefined>;
  readonly #out = new Map<number, Socket>();

  /** `called` runs for each call; it tells the tables that it was answered before it looks. */
  constructor(runDir: string, column: number, called: () => void) {
    this.#runDir = runDir;
    const path = bellPath(runDir, column);
    rmSync(path, { force: true });
    this.#listener = Bun.listen<undefined>({
      unix: path,
      socket: {
        data: () => called(),
      },
    });
  }

  /** Calls the gateway of `column`. One that is gone does not answer, and the platform hands its part of the line to nobody. */
  call(table: SlotTable, column: number): void {
    if (!table.ring(column)) return;
    const open = this.#out.get(column);
    if (open !== undefined && open.write(CALL) === 1) return;
    this.#out.delete(column);
    const failed = (): void => {
      this.#out.delete(column);
      table.answer(column);
    };
    Bun.connect({
      unix: bellPath(this.#runDir, column),
      socket: {
        open: (socket) => {
          this.#out.set(column, socket);
          socket.write(CALL);
        },
        data: () => {},
        close: () => void this.#out.delete(column),
        error: failed,
        connectError: failed,
      },
    }).catch(failed);
  }

  close(): void {
    this.#listener.stop(true);
    for (const socket of this.#out.values()) socket.end();
  }
}

function bellPath(runDir: string, column: number): string {
  return `${runDir}/bell-${column}.sock`;
}
