/** Durations and sizes as people write them, and back. Pure. */

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 1e3,
  kb: 1e3,
  ki: 2 ** 10,
  kib: 2 ** 10,
  m: 1e6,
  mb: 1e6,
  mi: 2 ** 20,
  mib: 2 ** 20,
  g: 1e9,
  gb: 1e9,
  gi: 2 ** 30,
  gib: 2 ** 30,
  t: 1e12,
  tb: 1e12,
  ti: 2 ** 40,
  tib: 2 ** 40,
};

/**
 * Milliseconds of a duration: `500ms`, `30s`, `1.5m`, `1h30m`, `2d`; a bare number is seconds.
 * `null` when the text is none.
 */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return finite(Math.round(Number(trimmed) * 1_000));
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) return null;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * DURATION_UNITS[unit!]!;
  }
  return finite(Math.round(total));
}

/** Bytes of a size: `512`, `16KiB`, `256Mi`, `1GB`; K, M, G, T are powers of 1000, with an `i` of 1024. `null` when the text is none. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim());
  if (match === null) return null;
  const factor = match[2] === "" ? 1 : SIZE_UNITS[match[2]!.toLowerCase()];
  return factor === undefined ? null : finite(Math.round(Number(match[1]) * factor));
}

function finite(value: number): number | null {
  return Number.isSafeInteger(value) ? value : null;
}

/** A duration as {@link parseDuration} reads it, exact: `1m30s`, `500ms`, `0`. */
export function writeDuration(ms: number): string {
  if (ms === 0) return "0";
  if (ms < 120_000) return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
  let rest = ms;
  let text = "";
  for (const unit of ["h", "m", "s", "ms"]) {
    const size = DURATION_UNITS[unit]!;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** A size as {@link parseSize} reads it, exact: `16KiB`, `1GiB`, `1500`. */
export function writeSize(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    const size = SIZE_UNITS[unit.toLowerCase()]!;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

/** A duration for people, about three digits: `850µs`, `12.3ms`, `4.5s`, `3m20s`, `2h5m`, `3d4h`. */
export function showDuration(ms: number): string {
  if (ms < 0.9995) return `${Math.round(ms * 1_000)}µs`;
  if (ms < 999.5) return `${ms < 99.95 ? trimZero(ms.toFixed(1)) : Math.round(ms)}ms`;
  if (ms < 59_950) return `${trimZero((ms / 1_000).toFixed(1))}s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return pair(seconds, 60, "m", "s");
  if (seconds < 86_400) return pair(Math.round(seconds / 60), 60, "h", "m");
  return pair(Math.round(seconds / 3_600), 24, "d", "h");
}

/** An amount for people, of two digits after the point: `3`, `0.05`; what is less than that and not nothing is `<0.01`. */
export function showAmount(value: number): string {
  if (value > 0 && value < 0.01) return "<0.01";
  return String(Math.round(value * 100) / 100);
}

/** A size for people, about three digits in units of 1024: `812B`, `1.5KiB`, `31.2MiB`. */
export function showSize(bytes: number): string {
  if (bytes < 1_024) return `${Math.round(bytes)}B`;
  let value = bytes;
  for (const unit of ["KiB", "MiB", "GiB", "TiB"]) {
    value /= 1_024;
    if (value < 1_023.5 || unit === "TiB")
      return `${value < 99.95 ? trimZero(value.toFixed(1)) : Math.round(value)}${unit}`;
  }
  return `${bytes}B`;
}

function trimZero(text: string): string {
  return text.endsWith(".0") ? text.slice(0, -2) : text;
}

function pair(total: number, base: number, big: string, small: string): string {
  const rest = total % base;
  return `${Math.floor(total / base)}${big}${rest === 0 ? "" : `${rest}${small}`}`;
}
