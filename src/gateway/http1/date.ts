import { ascii } from "./tables.ts";

let second = -1;
let line = new Uint8Array(0);

/** The `date` header line with its CRLF, made once a second. */
export function httpDate(): Uint8Array {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    line = ascii(`date: ${new Date(now * 1000).toUTCString()}\r\n`) as Uint8Array<ArrayBuffer>;
  }
  return line;
}
