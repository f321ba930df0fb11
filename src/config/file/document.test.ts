import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadFile } from "./load.ts";
import { bad, facts, folder, good } from "./testing.ts";

describe("what cannot be read", () => {
  test("is no YAML, an empty file, a list, an alias bomb, a loop", () => {
    expect(bad("services: { a: ").map(({ code }) => code)).toContain("file_invalid");
    expect(bad("services: {}\nservices: {}").length).toBeGreaterThan(0);
    const said = (source: string) => bad(source).map(({ message }) => message);
    expect(said("")).toEqual(["The file is empty."]);
    expect(said("# nothing\n")).toEqual(["The file is empty."]);
    expect(said("x-a: 1")).toEqual(["The file has no services."]);
    expect(said("- a")).toEqual(["The file is a list, not keys and their values."]);
    expect(said("hello")).toEqual(["The file is a single value, not keys and their values."]);
    expect(said("services: {}\n---\nservices: {}")).toEqual([
      "A second document begins here, and a file is one.",
    ]);
    expect(said("services:\n\ta: 1")).toEqual(["A tab stands where a line is indented."]);
    for (const levels of [150, 20_000]) {
      const deep = `services: ${"[".repeat(levels)}${"]".repeat(levels)}`;
      expect(said(deep)).toEqual(["The file is nested too deeply."]);
    }
    expect(bad("services:").map(({ message }) => message)).toEqual(["There is no service."]);
    const bomb = ["x-a: &a [1,2,3,4,5,6,7,8,9,10]"];
    for (const [index, name] of [..."bcdefgh"].entries()) {
      const before = `*${"abcdefgh"[index]}`;
      bomb.push(`x-${name}: &${name} [${Array(10).fill(before).join(",")}]`);
    }
    expect(bad(bomb.join("\n"))[0]!.message).toContain("too many parts");
    expect(bad("x-a: &a { b: *a }\nservices: {}").length).toBeGreaterThan(0);
  });

  test("is an alias of no anchor, each of them, where it stands", () => {
    const problems = bad("services:\n  a: { app: main.py, scale: *nope, limits: *gone }\nx-a: &gone {}\n");
    expect(problems.map(({ place, message }) => `${place.line}:${place.column} ${message}`)).toEqual([
      "2:29 There is no anchor &nope.",
      "2:44 There is no anchor &gone.",
    ]);
  });

  test("is not an anchor that is given anew: an alias means the last one before it", () => {
    const { services } = good(`
x-one: &n 3
x-two: { of: &m { concurrency: *n } }
x-three: &n 5
services:
  a: { <<: *m, app: main.py, route: { path: /a } }
  b: { app: main.py, concurrency: *n, route: { path: /b } }
`);
    expect(services.map(({ run }) => run.concurrency)).toEqual([3, 5]);
  });

  test("is a file that is too large, or not in UTF-8", () => {
    const of = (content: string | Uint8Array) => {
      writeFileSync(join(folder, "other.yaml"), content);
      const loaded = loadFile("other.yaml", {}, { ...facts, cwd: folder });
      if (loaded.ok) throw new Error("the file was accepted");
      return loaded.problems.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
    };
    const latin1 = Buffer.from("services:\n  a: { app: main.py, env: { A: \xe4 } }\n", "latin1");
    expect(of(latin1)).toEqual([
      `2:32 The file ${join(folder, "other.yaml")} is no UTF-8 text from here on.`,
    ]);
    expect(of(`services: { a: { app: main.py } }\n${"#".repeat(4 * 2 ** 20)}`)).toEqual([
      `1:1 The file ${join(folder, "other.yaml")} is larger than 4MiB.`,
    ]);
  });

  test("is a file that is not there", () => {
    const loaded = loadFile("", {}, { ...facts, cwd: "/nowhere" });
    expect(loaded.ok).toBe(false);
    if (!loaded.ok) expect(loaded.problems[0]!.message).toContain("/nowhere/headrace.yaml does not exist");
  });
});
