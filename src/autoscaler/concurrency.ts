/**
 * How many requests an instance should work on at a time, measured: the fewest with which it gets as much done as with more. A pure
 * function from a window of measurements to the next limit, with its reason.
 *
 * It asks the service instead of a model of it: while there is more to do than slots, the limit is moved by a fifth for a window, and
 * the throughput there is compared with that of the windows before and after.
 *
 * ```
 *             saturated                     window over            window over: keep it, or go back
 *   resting ─────────────▶ before (base) ─────────────▶ trying ─────────────▶ after (base) ──▶ resting
 *      ▲                                                                                          │
 *      └─────────────────── not saturated, or the number of instances changed ◀──────────────────┘
 * ```
 *
 * Why not a gradient of latencies (Netflix's Gradient2, Vegas, Envoy): they compare with a latency "without load" that has to be
 * remembered or measured anew. Remembered as an average it follows a modest, lasting overload upwards without bound; measured anew it
 * stops the service for a moment, and remembered as a minimum it never heals when the service becomes slower. A comparison of neighbouring
 * windows needs no such number: a service that becomes slower does so in all three.
 */

export interface ConcurrencySettings {
  readonly least: number;
  readonly most: number;
  readonly initial: number;
}

/** What was seen in one window. */
export interface ConcurrencyWindow {
  /** Milliseconds. */
  readonly lengthMs: number;
  /** Requests that were finished, over all instances. */
  readonly finished: number;
  /** Mean of the requests in flight on one instance. */
  readonly inFlight: number;
  /** Requests waited all the time. */
  readonly waiting: boolean;
  /** Requests that were begun and missed their deadline. */
  readonly missed: number;
  readonly instances: number;
}

export type Phase = "resting" | "before" | "trying" | "after";

export interface ConcurrencyState {
  readonly phase: Phase;
  /** What holds when nothing is tried. */
  readonly base: number;
  /** What is given out now: the base, or the one that is tried. */
  readonly limit: number;
  /** Whether the next trial goes up. */
  readonly up: boolean;
  /** Requests per second of the windows of a trial. */
  readonly before: number;
  readonly tried: number;
  /** The limit that the trial took. */
  readonly trial: number;
  readonly instances: number;
  /** Windows to rest. */
  readonly rest: number;
  /** Trials in a row that changed nothing. */
  readonly settled: number;
}

export interface ConcurrencyOutcome {
  readonly state: ConcurrencyState;
  /** One sentence; empty when nothing was concluded. */
  readonly why: string;
}

const STEP = 1.2;
/** A higher limit must bring this share of what it would at best. */
const WORTH = 0.4;
/** A lower limit may cost so much. */
const CHEAP = 0.04;
/** In flight, as a share of the limit, from which the limit is what holds the service back. */
const SATURATED = 0.9;
/** Missed deadlines, as a share of what was finished, that count as a sign by themselves. */
const MISSED = 0.05;
const RETREAT = 0.9;
/** Windows of rest after a trial that changed nothing, and at most. */
const REST = 2;
const LONGEST_REST = 8;

export function startedConcurrency({ initial }: ConcurrencySettings): ConcurrencyState {
  return {
    phase: "resting",
    base: initial,
    limit: initial,
    up: true,
    before: 0,
    tried: 0,
    trial: 0,
    instances: 0,
    rest: 0,
    settled: 0,
  };
}

/** Takes one window into account. */
export function decideConcurrency(
  state: ConcurrencyState,
  window: ConcurrencyWindow,
  settings: ConcurrencySettings,
): ConcurrencyOutcome {
  if (window.missed > window.finished * MISSED && window.missed > 0) return retreat(state, settings);
  const saturated = window.waiting || window.inFlight >= SATURATED * state.limit;
  const disturbed = state.phase !== "resting" && window.instances !== state.instances;
  // Without more work than slots a higher limit changes nothing, and a lower one would only seem to cost nothing.
  if (!saturated || disturbed || window.instances === 0) return { state: resting(state, 0), why: "" };
  const rate = (1_000 * window.finished) / window.lengthMs / window.instances;
  switch (state.phase) {
    case "resting":
      if (state.rest > 0) return { state: { ...state, rest: state.rest - 1 }, why: "" };
      return { state: { ...state, phase: "before", instances: window.instances }, why: "" };
    case "before": {
      const limit = tryable(state, settings);
      if (limit === state.base) return { state: { ...resting(state, REST), up: !state.up }, why: "" };
      return { state: { ...state, phase: "trying", limit, trial: limit, before: rate }, why: "" };
    }
    case "trying":
      return { state: { ...state, phase: "after", limit: state.base, tried: rate }, why: "" };
    case "after":
      return conclude(state, rate, state.before);
  }
}

/** The limit that a trial takes; the base where there is none in its direction. */
function tryable({ base, up }: ConcurrencyState, { least, most }: ConcurrencySettings): number {
  if (up) return Math.min(most, Math.max(base + 1, Math.round(base * STEP)));
  return Math.max(least, Math.min(base - 1, Math.round(base / STEP)));
}

function conclude(state: ConcurrencyState, after: number, before: number): ConcurrencyOutcome {
  const { base, up, tried, trial: limit } = state;
  const without = (before + after) / 2;
  const gain = without > 0 ? tried / without - 1 : 0;
  const best = limit / base - 1;
  const keep = up ? gain >= WORTH * best : gain >= -CHEAP;
  const said = `${round(tried)} requests/s at ${limit}, ${round(without)} at ${base}`;
  if (keep) {
    const next = { ...resting(state, 0), base: limit, limit, settled: 0, up };
    return { state: next, why: up ? `more slots do more: ${said}` : `fewer slots do as much: ${said}` };
  }
  const settled = state.settled + 1;
  const rest = Math.min(LONGEST_REST, REST * Math.ceil(settled / 2));
  return { state: { ...resting(state, rest), settled, up: !up }, why: `${base} slots stay: ${said}` };
}

function retreat(state: ConcurrencyState, { least }: ConcurrencySettings): ConcurrencyOutcome {
  const limit = Math.max(least, Math.floor(state.base * RETREAT));
  const why =
    limit === state.base ? "" : `requests miss their deadlines: ${limit} slots instead of ${state.base}`;
  return { state: { ...resting(state, REST), base: limit, limit, up: false, settled: 0 }, why };
}

function resting(state: ConcurrencyState, rest: number): ConcurrencyState {
  return { ...state, phase: "resting", limit: state.base, rest, before: 0, tried: 0 };
}

function round(rate: number): number {
  return rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate);
}
