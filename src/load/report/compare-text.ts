/** A comparison as a person reads it in a terminal. Pure. */

import type { Change, Comparison } from "./compare.ts";
import { change, count, duration, fixed, share, short } from "./format.ts";

/** Lines of text without colours, a line end at the last. The names are those of the files. */
export function compareText(
  comparison: Comparison,
  names: { readonly before: string; readonly after: string },
): string {
  const { client, statuses, server, reservations } = comparison;
  const moved = statuses.filter((each) => each.verdict !== "same" || each.before !== each.after);
  const rows = [...client.map(row), ...headed("statuses", moved), ...headed("the service", server)];
  return [
    `Before: ${names.before}`,
    `After:  ${names.after}`,
    "",
    ...reservations.map(({ grave, text }) => `  ${grave ? "✗" : "!"} ${text}`),
    ...(reservations.length > 0 ? [""] : []),
    ...columns([["", "before", "after", "change", "noise", ""], ...rows]),
    "",
    conclusion(comparison),
    "",
  ].join("\n");
}

function headed(title: string, changes: readonly Change[]): string[][] {
  return changes.length === 0 ? [] : [[], [title], ...changes.map(row)];
}

function row(each: Change): string[] {
  return [
    `  ${each.name}`,
    figure(each, each.before),
    figure(each, each.after),
    difference(each),
    noise(each),
    judgement(each),
  ];
}

const marks: Readonly<Record<Change["verdict"], string>> = {
  same: "",
  better: "✓ better",
  worse: "✗ worse",
  changed: "~ changed",
  unjudged: "",
};

function judgement({ verdict }: Change): string {
  return marks[verdict];
}

function figure({ unit }: Change, value: number): string {
  switch (unit) {
    case "ms":
      return duration(value);
    case "perS":
      return `${short(value)}/s`;
    case "share":
      return share(value);
    case "count":
      return Number.isInteger(value) ? count(value) : short(value);
  }
}

function difference({ unit, before, after }: Change): string {
  if (before === after) return "=";
  if (unit === "share") return `${after > before ? "+" : "−"}${points(Math.abs(after - before))}`;
  if (unit === "count") return `${after > before ? "+" : "−"}${short(Math.abs(after - before))}`;
  return before === 0 ? "new" : change(after / before);
}

function noise({ unit, noise: width }: Change): string {
  if (width === null) return "";
  if (unit === "share") return `±${points(width)}`;
  return unit === "count" ? `±${short(width)}` : `±${fixed(width * 100, 1)} %`;
}

/** Percentage points: a change of a share is no percentage of it. */
function points(value: number): string {
  return `${short(value * 100)} pp`;
}

/** The sentence that everything comes down to. */
export function conclusion({ client, comparable, exitCode }: Comparison): string {
  const named = (verdict: Change["verdict"]) =>
    client.filter((each) => each.verdict === verdict).map((each) => each.name);
  const [worse, better] = [named("worse"), named("better")];
  const but = comparable ? "" : " But the runs are not comparable: see above.";
  if (exitCode === 99)
    return `Regression: ${listed(worse)} ${worse.length === 1 ? "is" : "are"} worse, outside of the noise.${but}`;
  if (better.length > 0)
    return `No regression; ${listed(better)} ${better.length === 1 ? "is" : "are"} better, outside of the noise.${but}`;
  if (exitCode === 98) return `Nothing could be judged.${but}`;
  return `No regression: what changed is within the noise, or too small to matter.${but}`;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** The first column to the left, the others to the right, the last as it is. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, at) =>
    Math.max(...rows.filter((each) => each.length > 1).map((each) => each[at]!.length)),
  );
  return rows
    .map((cells) =>
      cells
        .map((cell, at) =>
          cells.length === 1 || at === cells.length - 1
            ? cell
            : at === 0
              ? cell.padEnd(widths[at]!)
              : cell.padStart(widths[at]!),
        )
        .join("   ")
        .trimEnd(),
    )
    .map((line) => (line === "" ? "" : `  ${line}`));
}
