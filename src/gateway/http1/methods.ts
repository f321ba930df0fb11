/** Method names: the common ones are one string each for the whole process. */
import { ascii, same } from "./tables.ts";

const COMMON = ["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"].map(
  (name) => ({
    name,
    bytes: ascii(name),
  }),
);

/** The method in `bytes[start..end)`, which are token bytes. */
export function methodName(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  for (let i = 0; i < COMMON.length; i++) {
    const method = COMMON[i]!;
    if (method.bytes.length === length && same(bytes, start, method.bytes)) return method.name;
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString("latin1");
}
