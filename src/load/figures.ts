/** Figures as people read them. Pure. */

/** `214 µs`, `3.2 ms`, `143 ms`, `2.31 s`. */
export function milliseconds(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1_000)} µs`;
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1_000).toFixed(2)} s`;
}

/** A share of 1: `0.02 %`, `12.5 %`, `100 %`. Never `0 %` for something that is not nothing. */
export function percentText(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent < 0.01) return "< 0.01 %";
  if (percent < 10) return `${percent.toFixed(2)} %`;
  return `${Math.min(99.9, percent).toFixed(1)} %`;
}

/** `1,234,567`. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** `1,999/s`, `3.5/s`, `0.25/s`. */
export function perSecond(value: number): string {
  return `${rateText(value)}/s`;
}

/** A number per second: `1,999`, `3.5`, `0.25`. */
export function rateText(value: number): string {
  if (value < 1) return String(Number(value.toFixed(2)));
  return value < 100 ? String(Number(value.toFixed(1))) : grouped(value);
}

/** Decimal, as networks count: `12 kB`, `3.4 MB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
