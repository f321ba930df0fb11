/** What a client sends, cut into heads and bodies. */
import type { HttpLimits } from "../settings.ts";
import { Body, type BodyTaker } from "./body.ts";
import { HeadBuffer } from "./head-buffer.ts";
import { Input } from "./input.ts";
import type { HeadParser } from "./parser.ts";
import { Parsed } from "./request-line.ts";

const NOTHING = new Uint8Array(0);

/** The reading half of one connection. It knows no state: the connection says what is expected next. */
export class RequestReader {
  readonly input = new Input();
  /** The body of the current request; null when it has none. */
  body: Body | null = null;
  private partial: HeadBuffer | null = null;

  constructor(
    private readonly parser: HeadParser,
    private readonly limits: HttpLimits,
  ) {}

  /** Bytes of a head that is not complete yet. */
  get partialBytes(): number {
    return this.partial === null ? 0 : this.partial.content.length;
  }

  /**
   * Looks for a head in the current chunk of the input, which must not be used up. Returns a {@link Parsed}; the head stands in the parser.
   * When it is refused or HTTP/2, the current chunk of the input still has it.
   */
  readHead(): number {
    const { input } = this;
    if (this.partial !== null) {
      this.partial.append(input.at === 0 ? input.chunk : input.chunk.subarray(input.at));
      input.replace(NOTHING, 0);
      if (!this.partial.due) return Parsed.INCOMPLETE;
      input.replace(this.partial.content, 0);
    }
    const { chunk, at } = input;
    const parsed = this.parser.parse(chunk, at, chunk.length);
    if (parsed === Parsed.INCOMPLETE) {
      if (this.partial === null) {
        this.partial = new HeadBuffer();
        this.partial.append(chunk.subarray(at));
      }
      input.replace(NOTHING, 0);
    } else if (parsed === Parsed.COMPLETE) {
      this.partial = null;
      input.at = this.parser.end;
    }
    return parsed;
  }

  /** Begins the body of a request, of `length` bytes or chunked (-1); 0 for none. */
  expect(length: number): void {
    this.body = length === 0 ? null : new Body(length, this.limits);
  }

  /** Takes at most `most` bytes of the body from the current chunk. Returns a {@link Read}. */
  readBody(most: number, take: BodyTaker): number {
    return this.body!.read(this.input, most, take);
  }

  clear(): void {
    this.partial = null;
    this.input.clear();
  }
}
