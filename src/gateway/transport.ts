import type { Peers } from "./client.ts";

/** One client's byte stream, as the HTTP/1.1 and WebSocket fronts see it. Implemented over `Bun.listen` sockets in socket-transport.ts. */
export interface Transport {
  /** Both ends of the connection. */
  readonly peers: Peers;
  /**
   * Queues bytes. They leave at the end of this round of the event loop at the latest, many writes in one system call.
   * `counted` of them are reported back through {@link TransportUser.sent} once the socket has taken them.
   */
  write(chunk: Uint8Array, counted: number): void;
  /** Bytes that the socket has not taken yet. */
  readonly queued: number;
  /** Bytes that the socket has taken since the start. */
  readonly taken: number;
  /** Stops and restarts reading. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then FIN, then waits a little for the client's FIN (RFC 9112 §9.6) before it closes. */
  end(): void;
  /** Closes at once; `reset` with RST, so that a cut response cannot be taken for a whole one. */
  destroy(reset: boolean): void;
}

/** Whoever uses a transport. */
export interface TransportUser {
  data(chunk: Uint8Array): void;
  /** `counted` bytes have been taken by the socket. */
  sent(counted: number): void;
  /** Everything queued has been taken. */
  drained(): void;
  /** The client has sent FIN: no more data comes. It may still read. */
  ended(): void;
  /** The transport is closed; called once, also after `end` and `destroy`. */
  closed(reset: boolean): void;
}
