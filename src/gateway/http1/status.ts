import { STATUS_CODES } from "node:http";
import { ascii } from "./tables.ts";

const LOWEST = 100;
const HIGHEST = 999;
const lines: (Uint8Array | undefined)[] = [];

/** `HTTP/1.1 STATUS REASON CRLF`; null for numbers that are no status. The reason is empty for statuses without a standard one. */
export function statusLine(status: number): Uint8Array | null {
  const known = lines[status - LOWEST];
  if (known !== undefined) return known;
  if (!Number.isInteger(status) || status < LOWEST || status > HIGHEST) return null;
  const line = ascii(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`);
  lines[status - LOWEST] = line;
  return line;
}
