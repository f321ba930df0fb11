/** Numbers as a report shows them: few digits, the unit beside them, thousands apart. Pure. */

/** A whole number with its thousands apart: `12,345`. */
export function count(value: number): string {
  return fixed(Math.round(value), 0);
}

/** A number with so many digits after the point, thousands apart. */
export function fixed(value: number, digits: number): string {
  const [whole = "", rest] = Math.abs(value).toFixed(digits).split(".");
  const apart = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  const minus = value < 0 && Number(value.toFixed(digits)) !== 0 ? "−" : "";
  return `${minus}${apart}${rest === undefined ? "" : `.${rest}`}`;
}

/** About three digits: `0.042`, `1.23`, `12.3`, `123`, `1,234`. Zeros at the end are left out. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 99.95) return count(value);
  if (size < 0.0009995) return String(Number(value.toPrecision(2)));
  const digits = size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
  return fixed(value, digits).replace(/\.?0+$/, "");
}

/** A duration with its unit: `850 µs`, `12.3 ms`, `1.02 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 0.9995) return ms <= 0 ? "0 ms" : `${short(ms * 1_000)} µs`;
  if (ms < 999.5) return `${short(ms)} ms`;
  if (ms < 119_950) return `${short(ms / 1_000)} s`;
  return span(ms / 1_000);
}

/** Seconds as a person says them: `30 s`, `1 min 30 s`, `2 h 5 min`. */
export function span(seconds: number): string {
  if (seconds < 119.95) return `${short(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3_600) return pair(whole, 60, ["min", "s"]);
  return pair(Math.round(whole / 60), 60, ["h", "min"]);
}

function pair(total: number, base: number, units: readonly [string, string]): string {
  const rest = total % base;
  return `${Math.floor(total / base)} ${units[0]}${rest === 0 ? "" : ` ${rest} ${units[1]}`}`;
}

/** A share of 0 to 1 in percent: `0 %`, `0.02 %`, `12.5 %`. Only nothing shows as 0 %, and only all as 100 %. */
export function share(value: number): string {
  const percent = value * 100;
  if (percent > 0 && percent < 0.0005) return "< 0.001 %";
  if (percent > 99.9 && percent < 100) return percent > 99.999 ? "> 99.999 %" : `${percent.toFixed(3)} %`;
  return `${short(percent)} %`;
}

/** A relative change, signed: `+12.5 %`, `−3.1 %`, `×14` from a doubling and a half on. */
export function change(ratio: number): string {
  if (!Number.isFinite(ratio)) return "new";
  if (ratio >= 2.5) return `×${short(ratio)}`;
  const percent = (ratio - 1) * 100;
  if (Math.abs(percent) < 0.05) return "±0 %";
  return `${percent > 0 ? "+" : ""}${fixed(percent, 1)} %`;
}

/** Bytes in units of 1,024: `812 B`, `1.5 KiB`, `31.2 MiB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const larger of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1_023.5) break;
    value /= 1_024;
    unit = larger;
  }
  return `${short(value)} ${unit}`;
}

/** How many digits after the point a column of milliseconds needs so that its smallest figure says something. */
export function digitsFor(values: readonly number[]): number {
  const smallest = Math.min(...values.filter((value) => value > 0));
  return smallest < 10 ? 2 : smallest < 1_000 ? 1 : 0;
}

/** `1 request`, `12,345 requests`. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}
