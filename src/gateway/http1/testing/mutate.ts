/** Seeded mutations of raw requests. */

/** A small generator of numbers (mulberry32): the same seed gives the same run on every machine. */
export class Random {
  constructor(private state: number) {}

  /** 0 ≤ n < below. */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

const PIECES: readonly string[] = [
  "\r\n",
  "\n",
  "\r",
  "\r\r\n",
  "\n\r",
  "\0",
  " ",
  "\t",
  "  ",
  ":",
  ": ",
  " :",
  ";",
  ",",
  "\x0b",
  "\x0c",
  "\x7f",
  "\x85",
  "\xa0",
  "\xff",
  "0",
  "1",
  "5",
  "a",
  "A",
  "+5",
  "-1",
  "0x5",
  "5_0",
  "00",
  "ffffffffffffffff",
  "9007199254740993",
  "18446744073709551617",
  "chunked",
  "CHUNKED",
  "identity",
  "gzip, chunked",
  "chunked, chunked",
  "close",
  "keep-alive",
  "100-continue",
  "GET ",
  "POST / HTTP/1.1\r\n",
  "HTTP/1.0",
  "HTTP/1.1",
  "HTTP/2.0",
  "http://b/",
  "*",
  "//",
  "#",
  "?",
  "Host: b\r\n",
  "Host:\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Content-Length:5\r\n",
  "content-length : 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding : chunked\r\n",
  "Transfer-Encoding:\tchunked\r\n",
  "Transfer-Encoding: x\r\n",
  "X: a\r\n b\r\n",
  "X-Y: z\r\n",
  "Connection: close\r\n",
  "Content-Type: a/b\r\n",
  "Expect: 100-continue\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  "1;a=b\r\nx\r\n",
  "\r\n\r\n",
  "GET /smuggled HTTP/1.1\r\nHost: c\r\n\r\n",
];

/** `seed` with one to four mutations; sometimes with a part of `other` in it. */
export function mutate(seed: string, other: string, random: Random): string {
  let text = seed;
  for (let i = random.below(4); i >= 0; i--) text = once(text, other, random);
  return text;
}

function once(text: string, other: string, random: Random): string {
  const at = random.below(text.length + 1);
  const to = Math.min(text.length, at + 1 + random.below(8));
  switch (random.below(7)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.slice(to);
    case 2:
    case 3:
      return text.slice(0, at) + random.pick(PIECES) + text.slice(at);
    case 4:
      return text.slice(0, at) + random.pick(PIECES) + text.slice(to);
    case 5:
      return text.slice(0, to) + text.slice(at);
    default:
      return text.slice(0, at) + other.slice(random.below(other.length + 1));
  }
}
