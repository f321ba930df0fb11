/** Which instances are to be replaced though they are well: by age, requests or memory. Pure. */

export interface RecycleSettings {
  /** 0: however old. */
  readonly maxAgeMs: number;
  /** 0: however many. */
  readonly maxRequests: number;
  /** Each instance gets up to so many requests more, so that those that started together do not go together. */
  readonly maxRequestsJitter: number;
  /** Proportional set size in bytes; 0: however much. */
  readonly maxMemory: number;
}

/** Whether there is anything to watch for. */
export function recycles({ maxAgeMs, maxRequests, maxMemory }: RecycleSettings): boolean {
  return maxAgeMs > 0 || maxRequests > 0 || maxMemory > 0;
}

/** An instance that takes requests. */
export interface Candidate {
  readonly id: string;
  readonly ageMs: number;
  readonly served: number;
  /** 0 when it was not measured. */
  readonly memoryBytes: number;
  /** From 0 to 1, drawn once for its life. */
  readonly jitter: number;
}

export interface Recycling {
  readonly id: string;
  readonly cause: "memory" | "requests" | "age";
  /** What was seen, and what the limit is. */
  readonly seen: number;
  readonly limit: number;
}

/** Ages are spread over a tenth, for the same reason as requests. */
const AGE_JITTER = 0.1;
/** Of the instances, so many may be replaced at a time, and one always. */
const SHARE = 0.1;

/** Replacements that are not through. */
export interface Underway {
  /** The new one is not ready. */
  readonly starting: number;
  /** The old one finishes the requests that it has: it is there beside the new one for as long as that takes. */
  readonly leaving: number;
}

/**
 * The instances to replace now, the most urgent first: who is over its memory, then who has served most over its limit, then the oldest.
 * One that is over its memory does not wait for those that leave.
 */
export function decideRecycling(
  candidates: readonly Candidate[],
  { starting, leaving }: Underway,
  settings: RecycleSettings,
): readonly Recycling[] {
  const most = Math.max(1, Math.floor((candidates.length + starting) * SHARE));
  const room = most - starting;
  if (room <= 0) return [];
  const due = candidates.flatMap((candidate) => causeOf(candidate, settings) ?? []);
  const order = ["memory", "requests", "age"];
  due.sort((a, b) => order.indexOf(a.cause) - order.indexOf(b.cause) || b.seen / b.limit - a.seen / a.limit);
  const urgent = due.filter(({ cause }) => cause === "memory").slice(0, room);
  const rest = Math.max(0, room - leaving - urgent.length);
  return [...urgent, ...due.filter(({ cause }) => cause !== "memory").slice(0, rest)];
}

/** Looks lie at most and at least this far apart. */
export const LOOK_MS = 1_000;
const NEAR_LOOK_MS = 100;
/** An instance beyond this share of its memory is looked at as often as can be: it may grow by a hundred MiB in a second. */
const NEAR = 0.6;

/** A candidate with the pace at which it serves. */
export interface Paced extends Candidate {
  /** Requests in a millisecond, of late. */
  readonly pace: number;
}

/** When to look again: before anyone is far over its memory, or its requests at the pace that it has. */
export function nextLookMs(candidates: readonly Paced[], settings: RecycleSettings): number {
  const { maxRequests } = settings;
  let soonest = LOOK_MS;
  for (const candidate of candidates) {
    if (isNear(candidate.memoryBytes, settings)) return NEAR_LOOK_MS;
    const left = requestsOf(candidate, settings) - candidate.served;
    if (maxRequests > 0 && left < soonest * candidate.pace) soonest = left / candidate.pace;
  }
  return Math.max(NEAR_LOOK_MS, soonest);
}

/** Whether an instance's memory has to be measured at every look, and not just once in a second. */
export function isNear(memoryBytes: number, { maxMemory }: RecycleSettings): boolean {
  return maxMemory > 0 && memoryBytes > NEAR * maxMemory;
}

function requestsOf({ jitter }: Candidate, { maxRequests, maxRequestsJitter }: RecycleSettings): number {
  return maxRequests + Math.floor(jitter * (maxRequestsJitter + 1));
}

function causeOf(candidate: Candidate, settings: RecycleSettings): Recycling | null {
  const { id, ageMs, served, memoryBytes, jitter } = candidate;
  const { maxAgeMs, maxRequests, maxMemory } = settings;
  if (maxMemory > 0 && memoryBytes > maxMemory)
    return { id, cause: "memory", seen: memoryBytes, limit: maxMemory };
  const requests = requestsOf(candidate, settings);
  if (maxRequests > 0 && served >= requests) return { id, cause: "requests", seen: served, limit: requests };
  const age = maxAgeMs * (1 + AGE_JITTER * jitter);
  return maxAgeMs > 0 && ageMs >= age ? { id, cause: "age", seen: ageMs, limit: age } : null;
}
