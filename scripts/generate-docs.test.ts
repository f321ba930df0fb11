import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { adminRows, commandRows, eventRows, generatedPages, httpRows } from "./generate-docs.ts";

const ROOT = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

test("the docs say what the source says; else run: scripts/bun scripts/generate-docs.ts", () => {
  for (const [path, text] of generatedPages()) expect([path, read(path)]).toEqual([path, text]);
});

const sources = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: ROOT })].filter(
  (path) => !path.endsWith(".test.ts"),
);

describe("codes", () => {
  const known = new Set([...commandRows(), ...httpRows(), ...adminRows()].map(([code]) => code));

  test("every error that the command can end with has a row", () => {
    const thrown = sources.flatMap((path) =>
      [...read(path).matchAll(/new HeadraceError\(\s*"(\w+)"/g)].map(([, code]) => `${path} ${code}`),
    );
    expect(thrown.length).toBeGreaterThan(5);
    expect(thrown.filter((line) => !known.has(line.split(" ")[1]!))).toEqual([]);
  });

  test("every code that a client can get is known", () => {
    const named = sources.flatMap((path) =>
      [...read(path).matchAll(/"(HR_\w+)"/g)].map(([, code]) => `${path} ${code}`),
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((line) => !known.has(line.split(" ")[1]!))).toEqual([]);
  });

  test("every failure that a worker reports has a row, under the same name with underscores", () => {
    const folder = "python/headrace/worker";
    const reported = readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".py"))
      .flatMap((name) => [
        ...read(`${folder}/${name}`).matchAll(
          /(?:StartupError\(\s*"\w+",|_error\()\s*"([a-z]+(?:-[a-z]+)+)"/g,
        ),
      ])
      .map(([, code]) => code!.replaceAll("-", "_"));
    expect(reported.length).toBeGreaterThan(10);
    expect(reported.filter((code) => !known.has(code))).toEqual([]);
  });
});

test("no two metrics have one name, also where OpenMetrics leaves _total out", () => {
  const rows = [...read("docs/metrics.md").matchAll(/^\| `(headrace_\w+)` \| (counter|gauge|histogram) /gm)];
  const families = rows.map(([, name, kind]) => (kind === "counter" ? name!.replace(/_total$/, "") : name!));
  expect(families.length).toBeGreaterThan(10);
  expect(families.filter((name, index) => families.indexOf(name) !== index)).toEqual([]);
  expect(
    rows
      .filter(([, name, kind]) => (kind === "counter") !== name!.endsWith("_total"))
      .map(([, name]) => name),
  ).toEqual([]);
});

test("every log event that is written has a row, and every row is written", () => {
  const known = eventRows().map(([name]) => name);
  const rooms = sources.filter(
    (path) => !/(?<!cli\/)signals\.ts$|events\.ts$/.test(path) && /^src\/(admin|cli|platform)\//.test(path),
  );
  const written = rooms.flatMap((path) =>
    [...read(path).matchAll(/"((?:admin|cli|platform|gateway|access_log|log)\.[a-z_]+)"/g)].map(
      ([, name]) => name!,
    ),
  );
  expect([...new Set(written)].filter((name) => !known.includes(name))).toEqual([]);
  const own = known.filter((name) => /^(admin|cli|platform)\./.test(name));
  expect(own.filter((name) => !written.includes(name))).toEqual([]);
});
