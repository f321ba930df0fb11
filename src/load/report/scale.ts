/** Axes: where a value lies between 0 and 1, and which ticks are written. Pure. */

import { duration, short } from "./format.ts";

export interface AxisTick {
  /** Between 0 (left, bottom) and 1. */
  readonly at: number;
  /** Empty: a grid line without a word. */
  readonly label: string;
}

export interface Scale {
  readonly kind: "linear" | "log" | "time" | "percentile";
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly AxisTick[];
  /** 0 to 1; what lies outside is put at the edge. NaN for NaN. */
  readonly position: (value: number) => number;
}

/** From 0 to a round number at or above the largest value, with about `wanted` ticks. */
export function linear(largest: number, label: (value: number) => string, wanted = 4): Scale {
  const most = largest > 0 && Number.isFinite(largest) ? largest : 1;
  const step = roundStep(most / wanted);
  const steps = Math.ceil(most / step - 1e-9);
  const to = steps * step;
  const position = (value: number) => clamp(value / to);
  const ticks = Array.from({ length: steps + 1 }, (_, at) => ({ at: at / steps, label: label(at * step) }));
  return { kind: "linear", from: 0, to, ticks, position };
}

/** Decades from at or below the smallest to at or above the largest value; both must be above 0. */
export function logarithmic(smallest: number, largest: number, label: (value: number) => string): Scale {
  const low = logFloor(smallest);
  const high = Math.max(logCeiling(largest), low * 10);
  const position = logPosition(low, high);
  const decades = Math.log10(high / low);
  const words = decades <= 2.5 ? [1, 2, 5] : [1];
  const ticks: AxisTick[] = [];
  for (let power = Math.floor(Math.log10(low) + 1e-9); 10 ** power <= high * 1.000001; power++)
    for (const digit of [1, 2, 5]) {
      const value = digit * 10 ** power;
      if (value < low * 0.999999 || value > high * 1.000001) continue;
      ticks.push({ at: position(value), label: words.includes(digit) ? label(value) : "" });
    }
  return { kind: "log", from: low, to: high, ticks, position };
}

/** Linear, or logarithmic when the values span more than two decades. Values that are not above 0 do not count. */
export function fitted(values: Iterable<number>, label: (value: number) => string): Scale {
  let smallest = Number.POSITIVE_INFINITY;
  let largest = 0;
  for (const value of values) {
    if (!(value > 0)) continue;
    smallest = Math.min(smallest, value);
    largest = Math.max(largest, value);
  }
  return largest > smallest * 100 ? logarithmic(smallest, largest, label) : linear(largest, label);
}

const TIME_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400,
];

/** Seconds since the start. Its ticks are round in seconds, minutes or hours. */
export function time(to: number, wanted = 8): Scale {
  const end = to > 0 ? to : 1;
  const fit = TIME_STEPS.find((each) => end / each <= wanted) ?? Math.ceil(end / wanted / 86_400) * 86_400;
  const step = end < 2 ? roundStep(end / wanted) : fit;
  const position = (value: number) => clamp(value / end);
  const ticks: AxisTick[] = [];
  for (let at = 0; at * step <= end * 1.000001; at++)
    ticks.push({ at: position(at * step), label: clockLabel(at * step, step, end) });
  return { kind: "time", from: 0, to: end, ticks, position };
}

/**
 * Percentiles as HdrHistogram's plots have them: x is 1/(1−p) on a log axis, so that 90 %, 99 %, 99.9 % lie equally far apart.
 * Ends where one value of `count` is left. Positions are those of shares, 0 to 1.
 */
export function percentiles(count: number): Scale {
  const most = Math.max(10, count);
  const place = logPosition(1, most);
  const position = (p: number) => (p >= 1 ? 1 : place(1 / (1 - p)));
  const ticks: AxisTick[] = [
    { at: 0, label: "0 %" },
    { at: position(0.5), label: "50 %" },
  ];
  for (let nines = 1; 10 ** nines <= most * 1.000001; nines++)
    ticks.push({ at: position(1 - 10 ** -nines), label: `${nines === 1 ? "90" : ninesOf(nines)} %` });
  return { kind: "percentile", from: 0, to: 1 - 1 / most, ticks, position };
}

/** `99`, `99.9`, `99.99`. */
function ninesOf(nines: number): string {
  return nines === 2 ? "99" : `99.${"9".repeat(nines - 2)}`;
}

/** What ticks say. */
export const labels = {
  // Round on a decimal axis: 1,000 s rather than 16 min 40 s.
  ms: (value: number) => (value < 60_000 ? duration(value) : `${short(value / 1_000)} s`),
  number: (value: number) => (value >= 1e6 ? `${short(value / 1e6)} M` : short(value)),
} as const;

/** 1, 2 or 5 times a power of ten, at or above `value`. */
export function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-12);
  for (const digit of [1, 2, 5]) if (value <= digit * power * 1.000001) return digit * power;
  return 10 * power;
}

/** Seconds up to two minutes, then `1:30` where the steps are seconds, else minutes or hours: one kind along an axis. */
function clockLabel(seconds: number, step: number, end: number): string {
  if (seconds === 0) return "0";
  if (end < 120) return `${short(seconds)} s`;
  if (step < 60) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const minutes = Math.round(seconds / 60);
  if (end < 7_200) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest === 0 ? "" : ` ${rest}`}`;
}

function logFloor(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-12);
  return value >= 5 * power ? 5 * power : value >= 2 * power ? 2 * power : power;
}

function logCeiling(value: number): number {
  return roundStep(value);
}

function logPosition(low: number, high: number): (value: number) => number {
  const width = Math.log(high / low);
  return (value) => (value <= 0 ? 0 : clamp(Math.log(value / low) / width));
}

function clamp(position: number): number {
  return position < 0 ? 0 : position > 1 ? 1 : position;
}
