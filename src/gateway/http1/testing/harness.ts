/** A connection without a socket, in front of a recording pipeline. */
import type { Refusal } from "../../client.ts";
import { flushAll } from "../../flush.ts";
import type { GatewaySettings, HttpLimits } from "../../settings.ts";
import { Ticker } from "../../ticker.ts";
import { Connection } from "../connection.ts";
import { shareHttp1 } from "../shared.ts";
import { MemoryTransport } from "./memory-transport.ts";
import { answerWhenComplete, bytes, Recorded } from "./recorder.ts";

/** Limits wide enough for everything that is not about limits. */
export const LIMITS: HttpLimits = {
  requestLine: 8192,
  headerBytes: 65_536,
  headerCount: 100,
  bodyBytes: 0,
  headerTimeoutMs: 10_000,
  bodyTimeoutMs: 20_000,
  sendTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  discardBytes: 65_536,
  http2Streams: 100,
};

export function settings(
  http: Partial<HttpLimits> = {},
  more: Partial<GatewaySettings> = {},
): GatewaySettings {
  return {
    host: "127.0.0.1",
    port: 0,
    uds: "",
    reusePort: false,
    tlsCert: "",
    tlsKey: "",
    http2: false,
    http: { ...LIMITS, ...http },
    websocket: { maxMessage: 1 << 20, pingIntervalMs: 0, pingTimeoutMs: 0, deflate: false },
    admission: {
      slots: 1,
      lineDepth: 0,
      lineWaitMs: 0,
      timeoutMs: 0,
      graceMs: 0,
      healthPaths: [],
      scaled: false,
      shed: true,
      limits: [],
      priorities: { header: "", routes: [] },
    },
    trustedProxies: [],
    serverTiming: false,
    affinity: null,
    window: 65_536,
    service: "test",
    revision: "1",
    key: "1",
    accessLog: "off",
    ...more,
  };
}

/** See the head of this file. */
export class Harness {
  readonly transport = new MemoryTransport();
  readonly requests: Recorded[] = [];
  readonly refusals: Refusal[] = [];
  readonly badResponses: number[] = [];
  prefaced: Uint8Array | null = null;
  readonly ticker: Ticker;
  readonly connection: Connection;

  /**
   * @param http limits that differ from {@link LIMITS}
   * @param react called when a request begins and whenever more of its body has come; by default answers once it is complete
   */
  constructor(
    http: Partial<HttpLimits> = {},
    private readonly react: (request: Recorded) => void = answerWhenComplete,
    http2 = false,
  ) {
    const all = settings(http, { http2 });
    this.ticker = new Ticker(1_000_000);
    this.connection = new Connection(
      shareHttp1(all, {
        ticker: this.ticker,
        accept: (head, client) => {
          const request = new Recorded(head, client, this.react);
          this.requests.push(request);
          if (this.react === answerWhenComplete && head.bodyLength !== 0)
            client.takeBody(Number.MAX_SAFE_INTEGER);
          // The pipeline may answer before `accept` has returned, as a refusal does.
          this.react(request);
          return request;
        },
        refused: (refusal) => this.refusals.push(refusal),
        badResponse: (exchange) => this.badResponses.push(exchange.status),
        preface: (_transport, rest) => {
          this.prefaced = rest;
        },
        left: () => undefined,
      }),
      this.transport,
    );
    this.transport.user = this.connection;
  }

  get request(): Recorded {
    return this.requests.at(-1)!;
  }

  /** Everything written and taken so far. */
  get output(): string {
    return this.transport.text;
  }

  /** Statuses of the final responses written so far. */
  get statuses(): number[] {
    return [...this.output.matchAll(/HTTP\/1\.1 ([2-9]\d\d)/g)].map((match) => Number(match[1]));
  }

  send(data: string | Uint8Array): this {
    this.connection.data(typeof data === "string" ? bytes(data) : Uint8Array.from(data));
    flushAll();
    return this;
  }

  /** Sends `data` in pieces that end at the given offsets. */
  sendSplit(data: Uint8Array, ...cuts: readonly number[]): this {
    let from = 0;
    for (const cut of [...cuts, data.length]) {
      if (cut > from && this.transport.end_ === "") this.send(data.subarray(from, cut));
      from = Math.max(from, cut);
    }
    return this;
  }

  /** The client's FIN. */
  fin(): this {
    this.connection.ended();
    flushAll();
    return this;
  }

  /** Lets the socket take `room` more bytes. */
  take(room: number): this {
    this.transport.room = room;
    this.transport.flush();
    flushAll();
    return this;
  }

  /** Lets the pipeline act, then flushes as the end of an I/O callback does. */
  act(action: () => void): this {
    action();
    flushAll();
    return this;
  }

  /** Moves the clock on by `ms`, in steps as coarse as a ticker's. */
  pass(ms: number): this {
    for (let left = ms; left > 0; left -= 250) {
      this.ticker.now += Math.min(left, 250);
      if (this.transport.end_ === "" || this.transport.end_ === "end") this.connection.tick(this.ticker.now);
      flushAll();
    }
    return this;
  }
}
