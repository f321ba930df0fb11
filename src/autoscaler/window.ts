/**
 * Averages and maxima over the last while. Pure: a window is a value, and recording answers a new one.
 *
 * Samples fall into buckets of {@link BUCKET_MS}; a bucket counts as the mean of its samples. A bucket without samples between two
 * that have some counts as zero, as does nothing before the first sample: a young window is divided by its age, not by its length,
 * so that the first seconds of a service count in full. Silence after the last sample is not counted as zero either; it ends as "no
 * data" once it is as long as the window. Silence that long also makes the window young again.
 */

import { BUCKET_MS } from "./settings.ts";

interface Bucket {
  /** Time divided by the bucket's length. */
  readonly index: number;
  readonly sum: number;
  readonly samples: number;
}

export interface TimeWindow {
  /** In buckets. */
  readonly length: number;
  /** Index of the first bucket since the window was last empty. */
  readonly first: number;
  /** Those that still count, oldest first; without those that got no sample. */
  readonly buckets: readonly Bucket[];
}

/** A window without samples. */
export function emptyWindow(spanMs: number): TimeWindow {
  return { length: Math.max(1, Math.ceil(spanMs / BUCKET_MS)), first: 0, buckets: [] };
}

/** Puts a sample in. A sample from before the newest bucket is counted there: clocks do not go back. */
export function record(window: TimeWindow, now: number, value: number): TimeWindow {
  const last = window.buckets.at(-1);
  const index = Math.max(Math.floor(now / BUCKET_MS), last?.index ?? 0);
  const fresh: Bucket = { index, sum: value, samples: 1 };
  if (last === undefined || index - last.index >= window.length) {
    return { length: window.length, first: index, buckets: [fresh] };
  }
  if (index === last.index) {
    const grown = { index, sum: last.sum + value, samples: last.samples + 1 };
    return { ...window, buckets: [...window.buckets.slice(0, -1), grown] };
  }
  let from = 0;
  while (window.buckets[from]!.index <= index - window.length) from += 1;
  // A slice and a push are several times as fast as a filter and a spread, and replays of months record millions of samples.
  const buckets = window.buckets.slice(from);
  buckets.push(fresh);
  return { length: window.length, first: window.first, buckets };
}

/** The average at `now`; null when there was no sample for as long as the window is. */
export function average(window: TimeWindow, now: number): number | null {
  const last = window.buckets.at(-1);
  const current = Math.floor(now / BUCKET_MS);
  if (last === undefined || current - last.index >= window.length) return null;
  const oldest = Math.max(window.first, current - window.length + 1);
  let sum = 0;
  for (const bucket of window.buckets) if (bucket.index >= oldest) sum += bucket.sum / bucket.samples;
  return sum / (last.index - oldest + 1);
}

/** Milliseconds of history that the average at `now` rests on; 0 without data. */
export function coverage(window: TimeWindow, now: number): number {
  const last = window.buckets.at(-1);
  const current = Math.floor(now / BUCKET_MS);
  if (last === undefined || current - last.index >= window.length) return 0;
  return (last.index - Math.max(window.first, current - window.length + 1) + 1) * BUCKET_MS;
}

/**
 * The largest value of the last while. Only values that could still be the largest are kept: each later one is smaller
 * (the "ascending minima" algorithm, upside down).
 */
export interface MaxWindow {
  readonly stepMs: number;
  /** In steps. A value recorded in step n counts up to step n + length - 1. */
  readonly length: number;
  readonly maxima: readonly { readonly step: number; readonly value: number }[];
}

/** @param stepMs values of one step are one: the largest of them counts */
export function emptyMaxWindow(spanMs: number, stepMs: number): MaxWindow {
  return { stepMs, length: Math.max(1, Math.ceil(spanMs / stepMs)), maxima: [] };
}

/** Puts a value in. */
export function recordMax(window: MaxWindow, now: number, value: number): MaxWindow {
  const step = Math.max(Math.floor(now / window.stepMs), window.maxima.at(-1)?.step ?? 0);
  const larger = window.maxima.filter((each) => each.value > value && step - each.step < window.length);
  const newest = larger.at(-1);
  // A larger value of the same step stands for both.
  if (newest?.step === step) return { ...window, maxima: larger };
  return { ...window, maxima: [...larger, { step, value }] };
}

/** The largest value that still counts at `now`; null when there is none. */
export function currentMax(window: MaxWindow, now: number): number | null {
  const step = Math.floor(now / window.stepMs);
  for (const each of window.maxima) if (step - each.step < window.length) return each.value;
  return null;
}
