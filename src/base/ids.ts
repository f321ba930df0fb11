const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** A random id of `length` characters in lower case without the ones that people confuse (i, l, o, u). 5 bits each. */
export function randomId(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  let id = "";
  for (const byte of bytes) id += ALPHABET[byte & 31];
  return id;
}
