import type { Accept, Refusal } from "../client.ts";
import type { FrontSettings, HttpLimits } from "../settings.ts";
import type { Ticker } from "../ticker.ts";
import type { Transport } from "../transport.ts";
import type { Connection } from "./connection.ts";
import type { Exchange } from "./exchange.ts";
import { HeadParser } from "./parser.ts";
import { ResponseWriter } from "./response.ts";

/** What the connections of one listener ask of it. */
export interface Http1Ports {
  readonly ticker: Ticker;
  readonly accept: Accept;
  /** A request was refused before the pipeline saw it. */
  refused(refusal: Refusal): void;
  /** A response of the app could not be sent as HTTP. */
  badResponse(exchange: Exchange): void;
  /** The connection turned out to be HTTP/2; `bytes` are what it has sent. Takes the transport over. */
  preface(transport: Transport, bytes: Uint8Array): void;
  /** The connection is closed, or not this front's any more. */
  left(connection: Connection): void;
}

/** What the connections of one listener share. */
export interface Shared {
  readonly settings: FrontSettings;
  /** The limits of the settings, with numbers where they say "none". Durations stay as they are. */
  readonly limits: HttpLimits;
  readonly parser: HeadParser;
  readonly writer: ResponseWriter;
  readonly ports: Http1Ports;
}

/** A head has to be in memory as a whole, so even without a limit there is one. */
const LARGEST_HEAD = 16 * 1024 * 1024;

/** Makes what the connections of one listener share. */
export function shareHttp1(settings: FrontSettings, ports: Http1Ports): Shared {
  const { http } = settings;
  const limits = {
    ...http,
    requestLine: http.requestLine || LARGEST_HEAD,
    headerBytes: http.headerBytes || LARGEST_HEAD,
    headerCount: http.headerCount || Number.POSITIVE_INFINITY,
    bodyBytes: http.bodyBytes || Number.POSITIVE_INFINITY,
    discardBytes: http.discardBytes || Number.POSITIVE_INFINITY,
  };
  return {
    settings,
    limits,
    parser: new HeadParser(limits, settings.http2),
    writer: new ResponseWriter(),
    ports,
  };
}
