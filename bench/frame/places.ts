/** Folders and programs of the suite, and free ports. */
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");
export const APPS = join(ROOT, "bench/apps");

/** The peers' environment where it is installed; else the one of the tests, which holds some of them. */
export const ENVIRONMENT = existsSync(join(ROOT, "bench/.venv/bin/python"))
  ? join(ROOT, "bench/.venv")
  : join(ROOT, ".venv");

/** Runs the apps, under Headrace and under every peer alike. */
export const PYTHON = join(ENVIRONMENT, "bin/python");

/** A program of the peers' environment. */
export function program(name: string): string {
  return join(ENVIRONMENT, "bin", name);
}

/** Below the ports that clients are given, so that no client of a load takes one away. */
const FIRST = 18_000;
const LAST = 31_000;
// Two runs at once do not start at the same place.
let next = FIRST + ((process.pid * 97) % (LAST - FIRST));

/** So many free ports in a row; the first of them. */
export async function freePorts(count = 1): Promise<number> {
  for (let tries = 0; tries < LAST - FIRST; tries++) {
    if (next + count > LAST) next = FIRST;
    const first = next;
    next += count;
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i)));
    if (free.every(Boolean)) return first;
  }
  throw new Error("there is no free port");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  });
}
