/** A command's surroundings in memory, for tests. */

import type { Io } from "./io.ts";

export interface MemoryIo extends Io {
  readonly written: { out: string; err: string };
}

export function memoryIo(more: Partial<Io> = {}): MemoryIo {
  const written = { out: "", err: "" };
  return {
    written,
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    env: {},
    cwd: process.cwd(),
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    gone: new AbortController().signal,
    columns: 100,
    stderrColumns: 100,
    ...more,
  };
}
