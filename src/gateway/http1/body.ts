/** The body of one request: takes it from the input and hands it over as it is granted, or drops it. */
import type { HttpLimits } from "../settings.ts";
import { Chunked, ChunkedDecoder } from "./chunked.ts";
import { type HttpError, HttpErrors } from "./errors.ts";
import type { Input } from "./input.ts";

/** What {@link Body.read} came to. */
export const Read = {
  /** The input or the grant is used up. */
  MORE: 0,
  /** The body is complete. */
  END: 1,
  /** See {@link Body.error}. */
  REFUSED: 2,
} as const;

/** Gets the bytes of a body. */
export type BodyTaker = (chunk: Uint8Array, end: boolean) => void;

const EMPTY = new Uint8Array(0);
/** Small chunks of one read are moved together up to this size, so that a body in tiny chunks is not many tiny messages. */
const GATHER = 64 * 1024;

/** See the head of this file. */
export class Body {
  error: HttpError = HttpErrors.chunk;
  /** Bytes of the body that came so far. */
  bytes = 0;
  private readonly decoder: ChunkedDecoder | null;
  private readonly limit: number;
  private from = -1;
  private to = -1;

  /** @param length - bytes of the body, -1 when it is chunked */
  constructor(
    private readonly length: number,
    limits: HttpLimits,
  ) {
    this.decoder = length < 0 ? new ChunkedDecoder(limits.headerBytes) : null;
    this.limit = limits.bodyBytes;
  }

  /** Bytes that have not come yet, as far as the head told; 0 when chunked. */
  get left(): number {
    return this.length < 0 ? 0 : this.length - this.bytes;
  }

  get chunked(): boolean {
    return this.decoder !== null;
  }

  /** Takes at most `most` bytes from the current chunk of `input`. Returns a {@link Read}. */
  read(input: Input, most: number, take: BodyTaker): number {
    return this.decoder === null
      ? this.readLength(input, most, take)
      : this.readChunks(input, most, take, this.decoder);
  }

  private readLength(input: Input, most: number, take: BodyTaker): number {
    const { chunk, at } = input;
    const size = Math.min(this.length - this.bytes, chunk.length - at, most);
    if (size === 0) return Read.MORE;
    this.bytes += size;
    input.at = at + size;
    const end = this.bytes === this.length;
    take(size === chunk.length ? chunk : chunk.subarray(at, at + size), end);
    return end ? Read.END : Read.MORE;
  }

  private readChunks(input: Input, most: number, take: BodyTaker, decoder: ChunkedDecoder): number {
    const { chunk } = input;
    this.from = this.to = -1;
    for (;;) {
      const found = decoder.next(chunk, input.at, chunk.length, most);
      input.at = decoder.at;
      if (found === Chunked.DATA) {
        const size = decoder.at - decoder.dataStart;
        this.bytes += size;
        if (this.bytes > this.limit) return this.refuse(HttpErrors.bodySize);
        most -= size;
        if (size > 0) {
          this.gather(chunk, decoder.dataStart, decoder.at, take);
          continue;
        }
      }
      if (found === Chunked.REFUSED) return this.refuse(decoder.error);
      const end = found === Chunked.END;
      if (this.from >= 0) take(chunk.subarray(this.from, this.to), end);
      else if (end) take(EMPTY, true);
      return end ? Read.END : Read.MORE;
    }
  }

  /** Adds a range to the one that is being gathered, or hands that over and starts a new one. */
  private gather(chunk: Uint8Array, start: number, stop: number, take: BodyTaker): void {
    if (this.from >= 0 && this.to - this.from + (stop - start) <= GATHER) {
      // Only bytes behind everything handed over are written: framing that is used up, and this range itself.
      if (this.to !== start) chunk.copyWithin(this.to, start, stop);
      this.to += stop - start;
      return;
    }
    if (this.from >= 0) take(chunk.subarray(this.from, this.to), false);
    this.from = start;
    this.to = stop;
  }

  private refuse(error: HttpError): number {
    this.error = error;
    return Read.REFUSED;
  }
}
