import { readFileSync } from "node:fs";

/** Files that everything but connections may need: logs, shared memory, files being sent. Connections to instances come on top. */
const RESERVE = 128;
/** Where the limit cannot be read, it is not known to be lower than this. */
const USUAL = 1024;

/** How many client connections this process takes: below its limit of open files, because `accept` without a file left spins. */
export function connectionLimit(): number {
  const soft = softLimit();
  return Math.max(16, soft - Math.max(RESERVE, Math.floor(soft / 50)));
}

function softLimit(): number {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "latin1"));
    if (line === null) return USUAL;
    return line[1] === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(line[1]);
  } catch {
    return USUAL;
  }
}
