/** One line of the access log: a request that was answered, refused or lost. Names follow OpenTelemetry where they exist. */
export interface AccessRecord {
  /** When the head was complete, Unix milliseconds. */
  readonly time: number;
  readonly requestId: string;
  readonly traceparent: string;
  readonly method: string;
  /** Raw target, non-ASCII bytes as %XX. */
  readonly target: string;
  readonly version: "1.0" | "1.1" | "2";
  readonly clientHost: string;
  readonly clientPort: number;
  /** Status sent to the client, 0 when it left before one was sent, 101 for a WebSocket. */
  readonly status: number;
  readonly responseBytes: number;
  /** From the complete head to the last byte. */
  readonly durationMs: number;
  /** Of that, waiting for a slot. */
  readonly queueMs: number;
  readonly instance: string;
  /** Stable code of a refusal or failure (docs/errors.md), empty when none. */
  readonly reason: string;
}
