/** Frames of a client are masked with a key of four bytes (RFC 6455 §5.3). */

const WORDS_FROM = 64;
const maskBytes = new Uint8Array(4);
const maskWord = new Uint32Array(maskBytes.buffer);

/** Removes the mask that stands at `at` in `mask` from `bytes`, whose first byte is masked with key byte `phase`. */
export function unmask(bytes: Uint8Array, mask: Uint8Array, at: number, phase: number): void {
  const length = bytes.length;
  let index = 0;
  if (length >= WORDS_FROM) {
    const lead = (4 - (bytes.byteOffset & 3)) & 3;
    for (; index < lead; index++) bytes[index] = bytes[index]! ^ mask[at + ((phase + index) & 3)]!;
    for (let k = 0; k < 4; k++) maskBytes[k] = mask[at + ((phase + index + k) & 3)]!;
    const word = maskWord[0]!;
    const count = (length - index) >>> 2;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + index, count);
    for (let k = 0; k < count; k++) words[k] = words[k]! ^ word;
    index += count * 4;
  }
  for (; index < length; index++) bytes[index] = bytes[index]! ^ mask[at + ((phase + index) & 3)]!;
}
