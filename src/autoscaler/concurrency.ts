/**
 * How many requests an instance should work on at a time, measured: the fewest with which it gets as much done as with more. A pure
 * function from a window of measurements to the next limit, with its reason.
 *
 * It asks the service instead of a model of it. While there is more to do than slots, the limit is moved by a fifth for a window, and
 * the throughput there is compared with that of the windows before and after. While there is room, because an autoscaler adds
 * instances until nothing waits, a limit holds nothing back and says nothing: then the load is packed on fewer instances for a window, so
 * that each of those has more in flight, and the others get none. There are as many slots as before.
 *
 * ```
 *             saturated, or packed          window over            window over: keep it, or go back
 *   resting ─────────────▶ before (base) ─────────────▶ trying ─────────────▶ after (base) ──▶ resting
 *      ▲                                                                                          │
 *      └──────────────── too little to do, or the number of instances changed ◀──────────────────┘
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
  /** Requests that were finished, over all instances that took some, see {@link ConcurrencyState.active}. */
  readonly finished: number;
  /** Mean of the requests in flight on one of those. */
  readonly inFlight: number;
  /** Requests waited all the time. */
  readonly waiting: boolean;
  /** Requests that were begun and missed their deadline. */
  readonly missed: number;
  readonly instances: number;
  /** Some instances may be left without requests for a window. Default: no. */
  readonly packable?: boolean;
  /** Requests have come to wait while some instances were left without: the window ends early. Default: no. */
  readonly crowded?: boolean;
}

/** What an instance did in one window of a trial. */
interface Measured {
  /** Requests per second. */
  readonly rate: number;
  readonly inFlight: number;
}

/** A trial while there is room: instances that take requests, and the limit that the fewer ones get. */
interface Packing {
  readonly instances: number;
  readonly fewer: number;
  readonly limit: number;
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
  /** The windows of a trial. */
  readonly before: Measured;
  readonly tried: Measured;
  /** The limit that the trial took. */
  readonly trial: number;
  /** Null where the trial moves the limit alone. */
  readonly packing: Packing | null;
  /** Instances that take requests now; 0: all. */
  readonly active: number;
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
/** In flight, as a share of the limit: what is packed on an instance at most, and with less than what nothing is concluded. */
const PACKED = 0.8;
const LEAST_PACKED = 0.5;
/** One instance of so many is left out. */
const PART = 6;
/** With less difference in what was in flight a trial says nothing. */
const LEAST_DIFFERENCE = 0.1;
/** Missed deadlines, as a share of what was finished, that count as a sign by themselves. */
const MISSED = 0.05;
const RETREAT = 0.9;
/** Windows of rest after a trial that changed nothing, and at most. */
const REST = 2;
const LONGEST_REST = 8;

const nothing: Measured = { rate: 0, inFlight: 0 };

export function startedConcurrency({ initial }: ConcurrencySettings): ConcurrencyState {
  return {
    phase: "resting",
    base: initial,
    limit: initial,
    up: true,
    before: nothing,
    tried: nothing,
    trial: 0,
    packing: null,
    active: 0,
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
  const disturbed = state.phase !== "resting" && window.instances !== state.instances;
  if (disturbed || window.instances === 0) return { state: resting(state, 0), why: "" };
  if (state.phase === "resting") return { state: begin(state, window, settings), why: "" };
  const { packing } = state;
  if (packing !== null && window.crowded === true) return { state: settled(state), why: "" };
  // Without more work than slots a higher limit changes nothing, and a lower one would only seem to cost nothing.
  const enough = packing === null ? isSaturated(state, window) : window.inFlight >= LEAST_PACKED * state.base;
  if (!enough) return { state: resting(state, 0), why: "" };
  const seen = measured(state, window);
  switch (state.phase) {
    case "before": {
      const limit = packing?.limit ?? tryable(state, settings);
      if (limit === state.base) return { state: { ...resting(state, REST), up: !state.up }, why: "" };
      const active = packing?.fewer ?? 0;
      return { state: { ...state, phase: "trying", limit, active, trial: limit, before: seen }, why: "" };
    }
    case "trying":
      return {
        state: { ...state, phase: "after", limit: state.base, active: packing?.instances ?? 0, tried: seen },
        why: "",
      };
    case "after":
      return packing === null ? conclude(state, seen) : concludePacked(state, seen, packing, settings);
  }
}

/** The end of a rest: a trial, if there is enough to do for one. */
function begin(
  state: ConcurrencyState,
  window: ConcurrencyWindow,
  settings: ConcurrencySettings,
): ConcurrencyState {
  const packing = isSaturated(state, window) ? null : packingFor(state, window, settings);
  if (packing === null && !isSaturated(state, window)) return resting(state, 0);
  if (state.rest > 0) return { ...state, rest: state.rest - 1 };
  return {
    ...state,
    phase: "before",
    instances: window.instances,
    packing,
    active: packing?.instances ?? 0,
  };
}

function isSaturated({ limit }: ConcurrencyState, { waiting, inFlight }: ConcurrencyWindow): boolean {
  return waiting || inFlight >= SATURATED * limit;
}

/** Which instances a packed trial takes; null when there is too little to do, or no limit to try. */
function packingFor(
  { base }: ConcurrencyState,
  { instances: there, inFlight, packable }: ConcurrencyWindow,
  { most }: ConcurrencySettings,
): Packing | null {
  const demand = inFlight * there;
  const instances = Math.min(there, Math.ceil(demand / (PACKED * base)));
  if (packable !== true || instances < 2 || demand < LEAST_PACKED * base * instances) return null;
  const fewer = instances - Math.max(1, Math.round(instances / PART));
  const limit = Math.ceil((base * instances) / fewer);
  return limit > most ? null : { instances, fewer, limit };
}

function measured({ active }: ConcurrencyState, window: ConcurrencyWindow): Measured {
  const instances = active === 0 ? window.instances : active;
  return { rate: (1_000 * window.finished) / window.lengthMs / instances, inFlight: window.inFlight };
}

/** The limit that a trial takes; the base where there is none in its direction. */
function tryable({ base, up }: ConcurrencyState, { least, most }: ConcurrencySettings): number {
  if (up) return Math.min(most, Math.max(base + 1, Math.round(base * STEP)));
  return Math.max(least, Math.min(base - 1, Math.round(base / STEP)));
}

function conclude(state: ConcurrencyState, after: Measured): ConcurrencyOutcome {
  const { base, up, tried, trial: limit } = state;
  const without = (state.before.rate + after.rate) / 2;
  const gain = without > 0 ? tried.rate / without - 1 : 0;
  const best = limit / base - 1;
  const keep = up ? gain >= WORTH * best : gain >= -CHEAP;
  const said = `${round(tried.rate)} requests/s at ${limit}, ${round(without)} at ${base}`;
  return keep ? moved(state, limit, said) : stays(state, said);
}

/** The same question, by what was in flight: the limit did not hold the service back, the load itself is what was moved. */
function concludePacked(
  state: ConcurrencyState,
  after: Measured,
  packing: Packing,
  settings: ConcurrencySettings,
): ConcurrencyOutcome {
  const { base, before, tried } = state;
  const rate = (before.rate + after.rate) / 2;
  const inFlight = (before.inFlight + after.inFlight) / 2;
  const best = tried.inFlight / inFlight - 1;
  if (rate === 0 || best < LEAST_DIFFERENCE) return { state: resting(state, REST), why: "" };
  const gain = tried.rate / rate - 1;
  const said = `${round(tried.rate)} requests/s of an instance with ${round(tried.inFlight)} in flight, ${round(rate)} with ${round(inFlight)}`;
  // What was in flight is what was tried: no more slots than take that, with the room that it had at the base.
  const more = Math.min(packing.limit, Math.max(base + 1, Math.ceil(tried.inFlight / PACKED)));
  if (gain >= WORTH * best) return moved(state, more, said);
  // More in flight bring nothing. So many slots are still more than what was in flight at the base.
  const fewer = tryable({ ...state, up: false }, settings);
  return gain <= CHEAP && fewer < base ? moved(state, fewer, said) : stays(state, said);
}

function moved(state: ConcurrencyState, limit: number, said: string): ConcurrencyOutcome {
  const up = limit > state.base;
  const next = { ...resting(state, 0), base: limit, limit, settled: 0, up };
  return { state: next, why: up ? `more slots do more: ${said}` : `fewer slots do as much: ${said}` };
}

function stays(state: ConcurrencyState, said: string): ConcurrencyOutcome {
  return { state: settled(state), why: `${state.base} slots stay: ${said}` };
}

/** The rest after a trial that changed nothing. */
function settled(state: ConcurrencyState): ConcurrencyState {
  const times = state.settled + 1;
  const rest = Math.min(LONGEST_REST, REST * Math.ceil(times / 2));
  return { ...resting(state, rest), settled: times, up: !state.up };
}

function retreat(state: ConcurrencyState, { least }: ConcurrencySettings): ConcurrencyOutcome {
  const limit = Math.max(least, Math.floor(state.base * RETREAT));
  const why =
    limit === state.base ? "" : `requests miss their deadlines: ${limit} slots instead of ${state.base}`;
  return { state: { ...resting(state, REST), base: limit, limit, up: false, settled: 0 }, why };
}

function resting(state: ConcurrencyState, rest: number): ConcurrencyState {
  return {
    ...state,
    ...{ phase: "resting", limit: state.base, rest },
    ...{ packing: null, active: 0, before: nothing, tried: nothing },
  };
}

function round(rate: number): number {
  return rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate);
}
