/**
 * Reads HTTP/1.1 answers from the pieces in which they come. One reader a connection; it keeps no body unless it is asked to.
 *
 * ```
 *   head ──▶ length ──▶ done
 *     ├────▶ chunk size ⇄ chunk data ──▶ trailers ──▶ done
 *     ├────▶ until close ──(closed)──▶ done
 *     └────▶ done                     (HEAD, 204, 304, length 0)
 * ```
 */

const HEAD = 0;
const LENGTH = 1;
const CHUNK_SIZE = 2;
const CHUNK_DATA = 3;
const CHUNK_END = 4;
const TRAILERS = 5;
const UNTIL_CLOSE = 6;
const DONE = 7;
type State = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** A head beyond this is no answer that is meant. */
const MAX_HEAD = 64 * 1024;
const END_OF_HEAD = Buffer.from("\r\n\r\n");
const LF = 10;

/** What a head says of how to go on. */
interface Head {
  readonly status: number;
  readonly framing: "length" | "chunked" | "close" | "none";
  readonly length: number;
  readonly keepAlive: boolean;
  /** Content-Encoding in lower case; empty for none. */
  readonly coding: string;
  /** Of the head with its empty line, in bytes. */
  readonly bytes: number;
}

/** What `feed` made of a piece. */
export type Fed = "more" | "done" | "malformed";

/**
 * Heads seen before. A service answers with the same head again and again, until a second passes (`Date`): comparing bytes is
 * several times cheaper than parsing them. Shared by the connections of a process.
 */
export class HeadMemory {
  #bytes: Buffer = Buffer.alloc(0);
  #head: Head | null = null;

  /** The head at the front of `piece`, when it is the one seen last. */
  recall(piece: Buffer): Head | null {
    const head = this.#head;
    if (head === null || piece.length < head.bytes) return null;
    return piece.compare(this.#bytes, 0, head.bytes, 0, head.bytes) === 0 ? head : null;
  }

  keep(piece: Buffer, head: Head): void {
    this.#bytes = Buffer.from(piece.subarray(0, head.bytes));
    this.#head = head;
  }
}

/** Reads the answers of one connection, one after the other. */
export class ResponseReader {
  status = 0;
  /** How the body is coded, in lower case; empty for not at all. */
  coding = "";
  /** Bytes of body so far, without chunk framing. */
  bodyBytes = 0;
  keepAlive = true;
  /** Pieces of the body, where they are kept. */
  body: Buffer[] | null = null;
  readonly #memory: HeadMemory;
  #state: State = HEAD;
  #left = 0;
  #headOnly = false;
  /** The beginning of a head or of a line that came in pieces. */
  #rest: Buffer | null = null;

  constructor(memory: HeadMemory) {
    this.#memory = memory;
  }

  /** Before each request. @param headOnly the answer to HEAD has no body @param keepBody for checks that look at it */
  begin(headOnly: boolean, keepBody: boolean): void {
    this.#state = HEAD;
    this.#headOnly = headOnly;
    this.#rest = null;
    this.bodyBytes = 0;
    this.body = keepBody ? [] : null;
  }

  /** Whether any byte of the answer came. */
  get begun(): boolean {
    return this.#state !== HEAD || this.#rest !== null;
  }

  /** Takes a piece. Bytes after the end of the answer make it malformed: nobody asked for them. */
  feed(piece: Buffer): Fed {
    let at = 0;
    let from = piece;
    while (this.#state !== DONE) {
      if (this.#state === HEAD) {
        const joined = this.#rest === null ? from : Buffer.concat([this.#rest, from]);
        this.#rest = null;
        const head = this.#memory.recall(joined) ?? this.#readHead(joined);
        if (head === null) return "malformed";
        if (head === "more") return "more";
        from = joined;
        at = head.bytes;
        if (head.status < 200 && head.status !== 101) from = joined.subarray(at);
        else this.#enter(head);
        if (this.#state === HEAD) at = 0;
        if (this.#state === HEAD && from.length === 0) return "more";
        continue;
      }
      if (at >= from.length) return "more";
      const next = this.#step(from, at);
      if (next < 0) return "malformed";
      at = next;
    }
    return at < from.length ? "malformed" : "done";
  }

  /** The other side closed. Whether that ends the answer as it should. */
  closed(): boolean {
    return this.#state === UNTIL_CLOSE || this.#state === DONE;
  }

  #enter(head: Head): void {
    this.status = head.status;
    this.keepAlive = head.keepAlive;
    this.coding = head.coding;
    if (this.#headOnly || head.framing === "none") this.#state = DONE;
    else if (head.framing === "chunked") this.#state = CHUNK_SIZE;
    else if (head.framing === "close") this.#state = UNTIL_CLOSE;
    else {
      this.#left = head.length;
      this.#state = head.length === 0 ? DONE : LENGTH;
    }
  }

  #readHead(piece: Buffer): Head | "more" | null {
    const end = piece.indexOf(END_OF_HEAD);
    if (end === -1) {
      if (piece.length > MAX_HEAD || !mayBegin(piece)) return null;
      this.#rest = piece;
      return "more";
    }
    const head = parseHead(piece.toString("latin1", 0, end), end + END_OF_HEAD.length);
    if (head !== null && head.status >= 200) this.#memory.keep(piece, head);
    return head;
  }

  /** One step into the body; answers where it stopped, -1 for what is no chunk. */
  #step(piece: Buffer, at: number): number {
    switch (this.#state) {
      case LENGTH:
      case CHUNK_DATA: {
        const taken = Math.min(this.#left, piece.length - at);
        this.#keep(piece, at, at + taken);
        this.#left -= taken;
        if (this.#left === 0) this.#state = this.#state === LENGTH ? DONE : CHUNK_END;
        return at + taken;
      }
      case UNTIL_CLOSE:
        this.#keep(piece, at, piece.length);
        return piece.length;
      default:
        return this.#line(piece, at);
    }
  }

  #keep(piece: Buffer, from: number, to: number): void {
    this.bodyBytes += to - from;
    this.body?.push(piece.subarray(from, to));
  }

  /** The lines between chunks and after them. */
  #line(piece: Buffer, at: number): number {
    const end = piece.indexOf(LF, at);
    const part = piece.subarray(at, end === -1 ? piece.length : end + 1);
    const line = this.#rest === null ? part : Buffer.concat([this.#rest, part]);
    if (line.length > MAX_HEAD) return -1;
    if (end === -1) {
      this.#rest = line;
      return piece.length;
    }
    this.#rest = null;
    const text = line.toString("latin1", 0, line.length - 1).replace(/\r$/, "");
    if (this.#state === CHUNK_SIZE) {
      const size = /^([0-9a-fA-F]{1,8})[ \t]*(;.*)?$/.exec(text);
      if (size === null) return -1;
      this.#left = Number.parseInt(size[1]!, 16);
      this.#state = this.#left === 0 ? TRAILERS : CHUNK_DATA;
    } else if (this.#state === CHUNK_END) {
      if (text !== "") return -1;
      this.#state = CHUNK_SIZE;
    } else if (text === "") this.#state = DONE;
    return end + 1;
  }
}

/** Whether bytes can be the beginning of an answer: what is not HTTP is said to be so before 64 KiB of it came. */
function mayBegin(piece: Buffer): boolean {
  const start = piece.toString("latin1", 0, 7);
  return "HTTP/1.".startsWith(start);
}

function parseHead(text: string, bytes: number): Head | null {
  const lines = text.split("\r\n");
  const first = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: |$)/.exec(lines[0]!);
  if (first === null) return null;
  const status = Number(first[2]);
  let length = -1;
  let chunked = false;
  let keepAlive = first[1] === "1";
  let coding = "";
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(":");
    if (colon < 1) return null;
    const name = line.slice(0, colon).toLowerCase();
    if (name === "content-length") {
      const value = line.slice(colon + 1).trim();
      if (!/^[0-9]{1,15}$/.test(value) || (length !== -1 && length !== Number(value))) return null;
      length = Number(value);
    } else if (name === "transfer-encoding") {
      if (!/(^|,)\s*chunked\s*$/i.test(line.slice(colon + 1))) return null;
      chunked = true;
    } else if (name === "content-encoding") {
      coding = line
        .slice(colon + 1)
        .trim()
        .toLowerCase();
    } else if (name === "connection") {
      const value = line.slice(colon + 1).toLowerCase();
      if (value.includes("close")) keepAlive = false;
      else if (value.includes("keep-alive")) keepAlive = true;
    }
  }
  const rest = { status, length: Math.max(0, length), coding, bytes };
  if (status === 204 || status === 304 || status < 200) return { ...rest, framing: "none", keepAlive };
  if (chunked) return { ...rest, framing: "chunked", keepAlive };
  if (length >= 0) return { ...rest, framing: "length", keepAlive };
  return { ...rest, framing: "close", keepAlive: false };
}
