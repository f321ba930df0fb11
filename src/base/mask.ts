/** Takes values that nobody is to see out of texts that people see. Pure. */

/** Shorter ones are parts of ordinary words and numbers: to mask them would make logs unreadable, and show where they are. */
export const LEAST_MASKED = 8;

export const MASK = "***";

/**
 * What is looked for in texts, longest first: each line of each value, as it is and as it stands in a quoted text. Empty when nothing
 * is long enough.
 */
export function maskable(values: Iterable<string>): readonly string[] {
  const found = new Set<string>();
  for (const value of values) {
    for (const line of value.split(/\r?\n/)) {
      if (line.length < LEAST_MASKED) continue;
      found.add(line);
      found.add(JSON.stringify(line).slice(1, -1));
    }
    // In quotes, the lines of a value are one.
    if (value.length >= LEAST_MASKED) found.add(JSON.stringify(value).slice(1, -1));
  }
  return [...found].sort((a, b) => b.length - a.length);
}

/** @param values of {@link maskable} */
export function masked(text: string, values: readonly string[]): string {
  let shown = text;
  for (const value of values) if (shown.includes(value)) shown = shown.replaceAll(value, MASK);
  return shown;
}
