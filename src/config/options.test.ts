import { expect, test } from "bun:test";
import { ownVariable } from "./option.ts";
import { groups, runOptions } from "./options.ts";

const rows = Object.entries(runOptions);

test("flags, short flags and variables are each one option's own", () => {
  const names = rows.flatMap(([, { flag, short, env, kind }]) => [
    `--${flag}`,
    ...(kind === "toggle" ? [`--no-${flag}`] : []),
    ...(short === "" ? [] : [`-${short}`]),
    ...[ownVariable(flag), ...env].map((name) => `$${name}`),
  ]);
  expect(new Set(names).size).toBe(names.length);
});

test("every default is a value that its own option would read", () => {
  for (const [name, { fallbackText, read, fallback, kind }] of rows) {
    if (fallbackText === "") continue;
    expect([name, read(fallbackText)]).toEqual([name, { ok: true, value: fallback }]);
    expect(["toggle", "value", "list"]).toContain(kind);
  }
});

test("every option stands in a group that the help shows, with a sentence", () => {
  for (const [name, { group, doc, flag }] of rows) {
    expect([name, groups.includes(group as (typeof groups)[number])]).toEqual([name, true]);
    expect([name, /^[A-Z*].*\.$/s.test(doc)]).toEqual([name, true]);
    expect(flag).toMatch(/^[a-z][a-z0-9-]*$/);
  }
});
