/**
 * A histogram of durations in a fixed amount of memory: Gil Tene's HDR histogram, 1 µs to 1 h with three significant digits.
 *
 * Values below 2,048 µs have a counter each. Above, every doubling of the value has 1,024 counters, so a counter spans at most
 * 1/1,024 of its value: 0.1 %. Histograms with the same layout add up counter by counter, without loss, which is how the figures
 * of several processes become one. The text form is HdrHistogram's V2 (base64 of zlib of zigzag LEB128 counts), which the
 * HdrHistogram libraries of other languages read.
 */

import { deflateSync, inflateSync } from "node:zlib";

const SUB_BUCKET_BITS = 11;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const HALF = SUB_BUCKETS / 2;
/** One hour. */
export const HIGHEST_US = 3_600_000_000;
const LAST = indexOf(HIGHEST_US);
const COUNTERS = LAST + 1;

const V2_COOKIE = 0x1c849303 | 0x10;
const V2_COMPRESSED_COOKIE = 0x1c849304 | 0x10;
const V2_HEADER_BYTES = 40;

/** Counters that are not zero, as `[index, count, index, count, …]` in rising order: what travels between processes. */
export type SparseCounts = readonly number[];

/** Counts values from 1 µs to 1 h; smaller ones count as 0, larger ones as 1 h. */
export class Histogram {
  readonly #counts = new Float64Array(COUNTERS);
  #total = 0;
  #sumUs = 0;
  #minUs = Number.POSITIVE_INFINITY;
  #maxUs = 0;

  /** How many values were recorded. */
  get count(): number {
    return this.#total;
  }

  /** Counts one value, in microseconds. */
  record(us: number): void {
    const value = us < 0 ? 0 : us > HIGHEST_US ? HIGHEST_US : us;
    const index = indexOf(value);
    this.#counts[index] = this.#counts[index]! + 1;
    this.#total++;
    this.#sumUs += value;
    if (value < this.#minUs) this.#minUs = value;
    if (value > this.#maxUs) this.#maxUs = value;
  }

  /** Adds what another histogram counted. */
  add(other: Histogram): void {
    this.addSummary({
      counts: other.toSparse(),
      sumUs: other.#sumUs,
      minUs: other.minUs,
      maxUs: other.#maxUs,
    });
  }

  /** Adds what came from another process. Throws RangeError for counters that are not there or counts that are no counts. */
  addSummary(summary: HistogramDelta): void {
    const { counts } = summary;
    if (counts.length % 2 !== 0) throw new RangeError("sparse counts come in pairs");
    for (let i = 0; i < counts.length; i += 2) {
      const index = counts[i]!;
      const count = counts[i + 1]!;
      if (!Number.isInteger(index) || index < 0 || index > LAST) throw new RangeError(`no counter ${index}`);
      if (!Number.isInteger(count) || count < 0) throw new RangeError(`no count: ${count}`);
      this.#counts[index] = this.#counts[index]! + count;
      this.#total += count;
    }
    if (counts.length === 0) return;
    this.#sumUs += summary.sumUs;
    this.#minUs = Math.min(this.#minUs, summary.minUs);
    this.#maxUs = Math.max(this.#maxUs, summary.maxUs);
  }

  /** What was counted, to be sent elsewhere; with `reset`, this one begins anew. */
  take(reset: boolean): HistogramDelta {
    const delta = { counts: this.toSparse(), sumUs: this.#sumUs, minUs: this.minUs, maxUs: this.#maxUs };
    if (reset) this.reset();
    return delta;
  }

  /** Forgets everything. */
  reset(): void {
    if (this.#total === 0) return;
    this.#counts.fill(0);
    this.#total = 0;
    this.#sumUs = 0;
    this.#minUs = Number.POSITIVE_INFINITY;
    this.#maxUs = 0;
  }

  /** The counters that are not zero. */
  toSparse(): number[] {
    const pairs: number[] = [];
    if (this.#total === 0) return pairs;
    const last = indexOf(this.#maxUs);
    for (let i = indexOf(this.minUs); i <= last; i++) {
      const count = this.#counts[i]!;
      if (count !== 0) pairs.push(i, count);
    }
    return pairs;
  }

  /** Smallest value, exact; 0 when there is none. */
  get minUs(): number {
    return this.#total === 0 ? 0 : this.#minUs;
  }

  /** Largest value, exact; 0 when there is none. */
  get maxUs(): number {
    return this.#maxUs;
  }

  /** Mean, exact; 0 when there is none. */
  get meanUs(): number {
    return this.#total === 0 ? 0 : this.#sumUs / this.#total;
  }

  /** The value that `percent` (0 to 100) of all values do not exceed, within 0.1 %; never more than the largest. 0 when there is none. */
  percentile(percent: number): number {
    if (this.#total === 0) return 0;
    const wanted = Math.max(1, Math.ceil((Math.min(percent, 100) / 100) * this.#total));
    let seen = 0;
    for (let i = 0; i < COUNTERS; i++) {
      seen += this.#counts[i]!;
      if (seen >= wanted) return Math.max(this.minUs, Math.min(highestOf(i), this.#maxUs));
    }
    return this.#maxUs;
  }

  /** How many values lie above `us`, to the precision of a counter. */
  countAbove(us: number): number {
    let above = 0;
    for (let i = indexOf(Math.min(us, HIGHEST_US)) + 1; i < COUNTERS; i++) above += this.#counts[i]!;
    return above;
  }

  /** HdrHistogram V2, compressed, in base64. The unit is microseconds. */
  toBase64(): string {
    const payload: number[] = [];
    const last = this.#total === 0 ? -1 : indexOf(this.#maxUs);
    let zeros = 0;
    for (let i = 0; i <= last; i++) {
      const count = this.#counts[i]!;
      if (count === 0) {
        zeros++;
        continue;
      }
      if (zeros > 0) writeZigZag(payload, -zeros);
      zeros = 0;
      writeZigZag(payload, count);
    }
    const plain = Buffer.alloc(V2_HEADER_BYTES + payload.length);
    plain.writeInt32BE(V2_COOKIE, 0);
    plain.writeInt32BE(payload.length, 4);
    plain.writeInt32BE(0, 8); // normalizing index offset
    plain.writeInt32BE(3, 12); // significant digits
    plain.writeBigInt64BE(1n, 16); // lowest discernible value
    plain.writeBigInt64BE(BigInt(HIGHEST_US), 24);
    plain.writeDoubleBE(1, 32); // integer to double conversion ratio
    plain.set(payload, V2_HEADER_BYTES);
    const packed = deflateSync(plain);
    const head = Buffer.alloc(8);
    head.writeInt32BE(V2_COMPRESSED_COOKIE, 0);
    head.writeInt32BE(packed.length, 4);
    return Buffer.concat([head, packed]).toString("base64");
  }

  /** Reads what `toBase64` wrote. Extremes and mean are those of the counters. Throws RangeError for anything else. */
  static fromBase64(text: string): Histogram {
    const packed = Buffer.from(text, "base64");
    if (packed.length < 8 || packed.readInt32BE(0) !== V2_COMPRESSED_COOKIE)
      throw new RangeError("not an HdrHistogram V2");
    let plain: Buffer;
    try {
      plain = inflateSync(packed.subarray(8, 8 + packed.readInt32BE(4)), { maxOutputLength: 1 << 20 });
    } catch (error) {
      throw new RangeError("a damaged HdrHistogram", { cause: error });
    }
    if (plain.length < V2_HEADER_BYTES || plain.readInt32BE(0) !== V2_COOKIE || plain.readInt32BE(12) !== 3)
      throw new RangeError("an HdrHistogram of another layout");
    return fromPayload(plain.subarray(V2_HEADER_BYTES, V2_HEADER_BYTES + plain.readInt32BE(4)));
  }
}

/** A histogram on its way from one process to another. */
export interface HistogramDelta {
  readonly counts: SparseCounts;
  readonly sumUs: number;
  readonly minUs: number;
  readonly maxUs: number;
}

function fromPayload(payload: Buffer): Histogram {
  const pairs: number[] = [];
  let sumUs = 0;
  let index = 0;
  let at = 0;
  while (at < payload.length) {
    const { value, next } = readZigZag(payload, at);
    at = next;
    if (value < 0) index -= value;
    else {
      pairs.push(index, value);
      sumUs += value * middleOf(index);
      index++;
    }
  }
  const first = pairs[0];
  const last = pairs.at(-2);
  const result = new Histogram();
  if (first === undefined || last === undefined) return result;
  result.addSummary({
    counts: pairs,
    sumUs,
    minUs: lowestOf(first),
    maxUs: Math.min(highestOf(last), HIGHEST_US),
  });
  return result;
}

/** The counter of a value. */
function indexOf(us: number): number {
  const value = Math.floor(us);
  if (value < SUB_BUCKETS) return value;
  const bucket = 31 - Math.clz32(value / HALF);
  // Values go beyond 2^31, where shifts would take them for negative.
  return bucket * HALF + Math.floor(value / 2 ** bucket);
}

/** The smallest value of a counter. */
function lowestOf(index: number): number {
  if (index < SUB_BUCKETS) return index;
  const bucket = Math.floor(index / HALF) - 1;
  return (index - bucket * HALF) * 2 ** bucket;
}

/** The largest value of a counter. */
function highestOf(index: number): number {
  return index < SUB_BUCKETS ? index : lowestOf(index) + 2 ** (Math.floor(index / HALF) - 1) - 1;
}

function middleOf(index: number): number {
  return (lowestOf(index) + highestOf(index)) / 2;
}

/** ZigZag LEB128 as HdrHistogram writes it; safe integers. */
function writeZigZag(into: number[], value: number): void {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  while (rest >= 0x80) {
    into.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  into.push(rest);
}

function readZigZag(bytes: Buffer, from: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let scale = 1;
  let at = from;
  for (;;) {
    const byte = bytes[at++];
    if (byte === undefined || at - from > 8) throw new RangeError("a damaged HdrHistogram");
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 0x80;
  }
  return { value: value % 2 === 1 ? -(value + 1) / 2 : value / 2, next: at };
}
