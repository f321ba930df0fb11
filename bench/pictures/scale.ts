/** From values to places on a picture, and the values that an axis names. Pure. */

export interface Scale {
  /** A value's place. */
  at(value: number): number;
  readonly ticks: readonly number[];
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** From 0, or from the least where that is below, to the next round number. */
export function linear(values: readonly number[], place: Span): Scale {
  const low = Math.min(0, ...values);
  const high = Math.max(...values, low + 1e-9);
  const step = roundStep((high - low) / 4);
  const [bottom, top] = [Math.floor(low / step) * step, Math.ceil(high / step - 1e-9) * step];
  const count = Math.round((top - bottom) / step);
  const ticks = Array.from({ length: count + 1 }, (_, n) => tidy(bottom + n * step));
  return { ticks, at: (value) => place.from + ((value - bottom) / (top - bottom)) * (place.to - place.from) };
}

/** By powers of ten; values of 0 and less are put at the least. Named are 1, 10, 100; or 1, 2, 5, 10 where those are few. */
export function logarithmic(values: readonly number[], place: Span): Scale {
  const some = values.filter((value) => value > 0);
  const [least, most] = some.length === 0 ? [1, 10] : [Math.min(...some), Math.max(...some)];
  const decades = Math.log10(most / least);
  const marks = decades > 2.5 ? [1] : [1, 2, 5];
  const all = Array.from({ length: 24 }, (_, n) => n - 9).flatMap((power) =>
    marks.map((mark) => tidy(mark * 10 ** power)),
  );
  const low = all.findLast((mark) => mark <= least * 1.0001) ?? least;
  const high = all.find((mark) => mark >= most * 0.9999 && mark > low) ?? most;
  const [bottom, top] = [Math.log10(low), Math.log10(high)];
  return {
    ticks: all.filter((mark) => mark >= low && mark <= high),
    at: (value) =>
      place.from + ((Math.log10(Math.max(value, low)) - bottom) / (top - bottom)) * (place.to - place.from),
  };
}

/** 1, 2 or 5 times a power of ten, no less than given. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((mark) => mark * power >= least * (1 - 1e-9)) ?? 10) * power;
}

/** Without the dust of binary fractions. */
function tidy(value: number): number {
  return Number(value.toPrecision(10));
}

/** As an axis writes it: 4k, 0.5, 20. */
export function named(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${tidy(value / 1e6)}M`;
  if (size >= 1e4) return `${tidy(value / 1e3)}k`;
  return String(tidy(value));
}
