/** Fields: byte strings joined by NUL (docs/spec/worker-protocol.md §1). */

const encoder = new TextEncoder();

/** Joins header pairs. Names must be in lower case; nothing may hold NUL, CR or LF: such a pair throws a RangeError. */
export function joinPairs(pairs: readonly (readonly [string, string])[]): Uint8Array {
  if (pairs.length === 0) return new Uint8Array(0);
  const text = pairs.map(([name, value]) => `${name}\0${value}`).join("\0");
  if (/[\r\n]/.test(text) || text.split("\0").length !== pairs.length * 2) {
    throw new RangeError("a header pair holds NUL, CR or LF");
  }
  return encoder.encode(text);
}

/** The pairs of a block, as latin-1 text. For slow paths and tests. */
export function splitPairs(block: Uint8Array): [string, string][] {
  if (block.length === 0) return [];
  // Not a TextDecoder: its "latin1" is windows-1252, which has other characters from 0x80 to 0x9F.
  const flat = Buffer.from(block.buffer, block.byteOffset, block.length).toString("latin1").split("\0");
  if (flat.length % 2 !== 0) throw new RangeError("an odd number of header fields");
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!]);
  return pairs;
}

/** The value of the first pair called `name` (lower case ASCII), as latin-1 text; undefined when there is none. */
export function findValue(block: Uint8Array, name: string): string | undefined {
  let at = 0;
  const size = block.length;
  while (at < size) {
    const nameEnd = nulFrom(block, at);
    const valueStart = nameEnd + 1;
    const valueEnd = nulFrom(block, valueStart);
    if (nameEnd - at === name.length && startsWith(block, at, name)) {
      return latin1(block, valueStart, valueEnd);
    }
    at = valueEnd + 1;
  }
  return undefined;
}

/** A block without the pairs whose name `drop` accepts. Returns the same block when none is dropped. */
export function withoutPairs(block: Uint8Array, drop: (name: string) => boolean): Uint8Array {
  const pairs = splitPairs(block);
  const kept = pairs.filter(([name]) => !drop(name));
  if (kept.length === pairs.length) return block;
  return Buffer.from(kept.map(([name, value]) => `${name}\0${value}`).join("\0"), "latin1");
}

/** Bytes as text, one character a byte. */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function nulFrom(block: Uint8Array, at: number): number {
  const found = block.indexOf(0, at);
  return found === -1 ? block.length : found;
}

function startsWith(block: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (block[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
