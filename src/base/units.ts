/** Durations and sizes as people write them, and back. Pure. */

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "\u00b5s": 1e-3,
  "\u03bcs": 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** By their first letter, in lower case. */
const SIZE_POWERS: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5, e: 6 };

/** `1`, `1.5`, `.5`, `1.`: as Go and Kubernetes write numbers. */
const NUMBER = "(?:\\d+(?:\\.\\d*)?|\\.\\d+)";
const BARE = new RegExp(`^\\+?${NUMBER}$`);
const PART = new RegExp(`(${NUMBER})(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d)`, "g");
const PARTS = new RegExp(`^\\+?(?:${PART.source})+$`);
const QUANTITY = new RegExp(`^(\\+?${NUMBER})(?:([eE][+-]?\\d{1,3})| ?([a-zA-Z]*))$`);

/**
 * Milliseconds of a duration as Go writes them, with days: `500ms`, `30s`, `1.5m`, `1h30m`, `2d`, `500us`; a bare number is seconds.
 * Whole ones: `null` when the text is none, or is so short that nothing would be left of it.
 */
export function parseDuration(text: string): number | null {
  const ms = exactDuration(text);
  return ms === null || ms > Number.MAX_SAFE_INTEGER ? null : whole(ms);
}

/** The same without rounding. */
export function exactDuration(text: string): number | null {
  const trimmed = text.trim();
  if (BARE.test(trimmed)) return Number(trimmed) * 1_000;
  if (!PARTS.test(trimmed)) return null;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(PART)) total += Number(amount) * DURATION_UNITS[unit!]!;
  return total;
}

/** What a size must be below: what counts bytes in 64 bits holds it. */
const TOO_MANY_BYTES = 2 ** 63;

/**
 * Bytes of a size as Kubernetes writes them: `512`, `256Mi`, `1e9`; K, M, G, T, P, E are powers of 1000, with an `i` of 1024, and a `B`
 * may follow: `16KiB`, `1GB`. `null` when the text is none, when less than a byte would be left, and for `256m`: there a small m is a
 * thousandth, and nobody who writes it means that.
 */
export function parseSize(text: string): number | null {
  const [, amount, exponent = "", unit = ""] = QUANTITY.exec(text.trim()) ?? [];
  if (amount === undefined) return null;
  const factor = unit === "" ? 1 : sizeUnit(unit);
  const bytes = Number(`${amount}${exponent}`) * (factor ?? Number.NaN);
  return bytes < TOO_MANY_BYTES ? whole(bytes) : null;
}

function sizeUnit(unit: string): number | null {
  if (/^b$/i.test(unit)) return 1;
  const [, letter, binary] = /^([kmgtpe])(i?)b?$/i.exec(unit) ?? [];
  if (letter === undefined || unit === "m" || unit === "e") return null;
  return (binary === "" ? 1_000 : 1_024) ** SIZE_POWERS[letter.toLowerCase()]!;
}

/**
 * Cores, as Kubernetes writes them: `2`, `0.5`, `500m`, `1e-1`; to a thousandth. `null` when the text is none, or less than that would be
 * left.
 */
export function parseCores(text: string): number | null {
  const [, amount, exponent = "", unit = ""] = QUANTITY.exec(text.trim()) ?? [];
  const factors: Readonly<Record<string, number>> = { "": 1, m: 1e-3, u: 1e-6, n: 1e-9 };
  if (amount === undefined || !Object.hasOwn(factors, unit)) return null;
  const milli = whole(Number(`${amount}${exponent}`) * factors[unit]! * 1_000);
  return milli === null || !Number.isFinite(milli) ? null : milli / 1_000;
}

/** Rounded; never from something to nothing, for 0 often means that there is no limit. */
function whole(value: number): number | null {
  const rounded = Math.round(value);
  return rounded === 0 && value > 0 ? null : rounded;
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
    const size = sizeUnit(unit)!;
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
