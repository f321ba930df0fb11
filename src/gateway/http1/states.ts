/** States of a connection, drawn in connection.ts. */
export const State = {
  IDLE: 0,
  HEAD: 1,
  BODY: 2,
  ANSWERING: 3,
  DISCARDING: 4,
  UPGRADED: 5,
  CLOSING: 6,
  CLOSED: 7,
} as const;

const EDGES: readonly (readonly number[])[] = [
  [State.HEAD, State.BODY, State.ANSWERING, State.CLOSING, State.CLOSED],
  [State.BODY, State.ANSWERING, State.CLOSING, State.CLOSED],
  [State.ANSWERING, State.DISCARDING, State.CLOSING, State.CLOSED],
  [State.IDLE, State.UPGRADED, State.CLOSING, State.CLOSED],
  [State.IDLE, State.CLOSING, State.CLOSED],
  [State.CLOSED],
  [State.CLOSED],
  [],
];

/** Asserts that a connection may go from one state to the other. */
export function assertEdge(from: number, to: number): void {
  if (!EDGES[from]!.includes(to)) throw new Error(`connection: no edge from ${from} to ${to}`);
}

/** States of an exchange, drawn in exchange.ts. */
export const Phase = { WAITING: 0, HELD: 1, STREAMING: 2, ENDED: 3, UPGRADED: 4, OVER: 5 } as const;

const PHASE_EDGES: readonly (readonly number[])[] = [
  [Phase.HELD, Phase.ENDED, Phase.UPGRADED, Phase.OVER],
  [Phase.STREAMING, Phase.OVER],
  [Phase.ENDED, Phase.OVER],
  [Phase.OVER],
  [Phase.OVER],
  [],
];

/** Asserts that an exchange may go from one phase to the other. */
export function assertPhase(from: number, to: number): void {
  if (!PHASE_EDGES[from]!.includes(to)) throw new Error(`exchange: no edge from ${from} to ${to}`);
}
