/**
 * The rules of the house, as tests: which folder may import which, no value-import cycles, sizes, and words that docs and code share.
 * ARCHITECTURE.md explains the law of arrows; the table below is the law.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const ROOT = join(import.meta.dir, "..");

interface Rule {
  /** Folders of src/ that may be imported with their values. A folder may always import itself. */
  readonly may: readonly string[];
  /** Further folders whose types may be imported. */
  readonly types?: readonly string[];
  readonly why: string;
}

const ROOM =
  "A room knows no sibling; what it needs from one it declares in its ports and platform/ binds the two.";

const law: Readonly<Record<string, Rule>> = {
  base: {
    may: [],
    why: "base/ is at the bottom: it holds no word of the domain and imports nothing of ours.",
  },
  model: { may: ["base"], why: "model/ holds the nouns as types." },
  config: { may: ["model", "base"], why: "config/ reads options; it knows no room." },
  protocol: { may: ["model", "base"], why: "protocol/ is pure encoding and decoding." },
  gateway: { may: ["protocol", "model", "base"], types: ["config"], why: ROOM },
  instances: { may: ["protocol", "model", "base"], types: ["config"], why: ROOM },
  telemetry: { may: ["model", "base"], types: ["config"], why: ROOM },
  autoscaler: { may: ["model", "base"], types: ["config"], why: ROOM },
  load: {
    may: ["model", "base"],
    types: ["config"],
    why: `${ROOM} The generator knows the service from outside only.`,
  },
  platform: {
    may: ["gateway", "instances", "telemetry", "autoscaler", "config", "protocol", "model", "base"],
    why: "platform/ is the only folder that knows two rooms; nothing above it is known here.",
  },
  admin: {
    may: ["platform", "telemetry", "config", "model", "base"],
    why: "admin/ shows what platform/ knows.",
  },
  cli: {
    may: ["admin", "platform", "autoscaler", "load", "config", "model", "base"],
    why: "cli/ speaks to platform/ and admin/; of the rooms only to autoscaler/ and load/: simulate and load have no platform.",
  },
};

const BUDGET = { fileLines: 500, functionLines: 80, parameters: 4 };

/** Functions that may have more parameters, each with its reason. */
const MANY_PARAMETERS: Readonly<Record<string, string>> = {
  "src/protocol/reader.ts why": "the parts of one bad frame, for one error sentence",
  "src/protocol/reader.ts add": "the columns of a table",
  "src/protocol/frame.ts writeHeader":
    "the fields of the header in wire order; an object a frame would be garbage on the hottest path",
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const sources = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: ROOT })].sort();
const product = sources.filter((file) => !/\.(test|conformance|gen)\.ts$/.test(file));
const textOf = new Map(sources.map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));

/** The text without comments and the contents of strings, at the same offsets, so that braces and words can be counted. */
function bare(text: string): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|(?<=[=(,:[!&|?{};\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*/g;
  return text.replaceAll(token, (piece) => piece.replaceAll(/[^\n]/g, " "));
}

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** Value imports as the runtime sees them, and type imports from the text, which the runtime drops. */
function importsOf(file: string): Import[] {
  const text = textOf.get(file) ?? "";
  const at = (path: string) => normalize(join(dirname(file), path));
  const relative = (path: string) => path.startsWith(".");
  const values = transpiler.scanImports(text).map(({ path }) => path);
  const stated = [...text.matchAll(/^\s*(?:import|export)\b[^;"'`=]*?\bfrom\s+"(\.[^"]+)"/gm)].map(
    (match) => match[1] ?? "",
  );
  const types = stated.filter((path) => !values.includes(path));
  return [
    ...values.filter(relative).map((path) => ({ from: file, to: at(path), typeOnly: false })),
    ...types.map((path) => ({ from: file, to: at(path), typeOnly: true })),
  ];
}

const imports = sources.flatMap(importsOf);
const folderOf = (file: string) => file.split("/")[1] ?? "";

describe("the law of arrows", () => {
  test("every folder has its line in the law", () => {
    const folders = new Set(product.filter((file) => file.split("/").length > 2).map(folderOf));
    expect([...folders].filter((folder) => law[folder] === undefined)).toEqual([]);
  });

  test("every import exists", () => {
    expect(imports.filter(({ to }) => !existsSync(join(ROOT, to)))).toEqual([]);
  });

  test("arrows go down only", () => {
    const broken = imports.flatMap(({ from, to, typeOnly }) => {
      const [here, there] = [folderOf(from), folderOf(to)];
      const rule = law[here];
      if (rule === undefined || here === there || !to.startsWith("src/")) return [];
      const allowed = rule.may.includes(there) || (typeOnly && rule.types?.includes(there) === true);
      return allowed ? [] : [`${from} imports ${to}: ${rule.why}`];
    });
    expect(broken).toEqual([]);
  });

  test("the product imports no test, and nothing from outside of src/ but what the runtime and the lock file bring", () => {
    const outside = imports.filter(
      ({ from, to }) => product.includes(from) && (!to.startsWith("src/") || to.includes(".test.")),
    );
    expect(outside).toEqual([]);
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const packages = product.flatMap((file) =>
      transpiler
        .scanImports(textOf.get(file) ?? "")
        .filter(({ path }) => !/^(\.|node:|bun(:|$))/.test(path) && !Object.hasOwn(dependencies, path))
        .map(({ path }) => `${file} imports ${path}`),
    );
    expect(packages).toEqual([]);
  });

  test("there are no cycles among value imports", () => {
    const edges = new Map<string, string[]>();
    for (const { from, to, typeOnly } of imports)
      if (!typeOnly) edges.set(from, [...(edges.get(from) ?? []), to]);
    expect(cycles(edges)).toEqual([]);
  });
});

/** Every cycle that a depth-first walk closes, as a path. */
function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (node: string): void => {
    const at = path.indexOf(node);
    if (at >= 0) {
      found.push([...path.slice(at), node].join(" -> "));
      return;
    }
    if (done.has(node)) return;
    path.push(node);
    for (const next of edges.get(node) ?? []) visit(next);
    path.pop();
    done.add(node);
  };
  for (const node of edges.keys()) visit(node);
  return found;
}

interface Func {
  /** File and name, as in {@link MANY_PARAMETERS}. */
  readonly name: string;
  readonly where: string;
  readonly lines: number;
  readonly parameters: number;
}

/** Functions and methods with a block body. Found by shape: a parameter list, then an opening brace. */
function functionsOf(file: string): Func[] {
  const text = bare(textOf.get(file) ?? "");
  const found: Func[] = [];
  const opening =
    /(?:\bfunction\b\s*\w*|^\s+(?:(?:private|public|protected|static|async|override|get|set)\s+)*[#\w]+)\s*(?:<[^>(]*>)?\(|\((?=[^()]*(?:\([^()]*\)[^()]*)*\)\s*(?::[^={;]+)?=>\s*\{)/gm;
  for (const match of text.matchAll(opening)) {
    if (/^\s*(if|for|while|switch|catch|return|await|new|throw|super|typeof|else|do)\b/.test(match[0].trim()))
      continue;
    const open = match.index + match[0].length - 1;
    const close = closing(text, open, "(", ")");
    const after = /^\s*(?::\s*(?:[^={;()]|\{[^}]*\}|\([^)]*\)\s*=>)+?)?\s*(?:=>\s*)?\{/.exec(
      text.slice(close + 1),
    );
    if (after === null) continue;
    const start = close + after[0].length;
    const end = closing(text, start, "{", "}");
    const line = (at: number) => text.slice(0, at).split("\n").length;
    const lines = line(end) - line(open) + 1;
    const before = text.slice(0, match.index) + match[0];
    const name =
      `${file} ${/(\w+)\s*(?:[=:]\s*(?:async\s*)?|<[^>(]*>)?\($/.exec(before.slice(-200))?.[1] ?? ""}`.trim();
    found.push({
      name,
      where: `${file}:${line(open)}`,
      lines,
      parameters: parametersOf(text.slice(open + 1, close)),
    });
  }
  return found;
}

function closing(text: string, from: number, open: string, close: string): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === open) depth += 1;
    else if (text[at] === close) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return text.length;
}

function parametersOf(list: string): number {
  let depth = 0;
  let count = list.trim() === "" ? 0 : 1;
  for (const char of list.trim().replace(/,$/, "").replaceAll("=>", "  ")) {
    if ("([{<".includes(char)) depth += 1;
    else if (")]}>".includes(char)) depth -= 1;
    else if (char === "," && depth === 0) count += 1;
  }
  return count;
}

describe("sizes", () => {
  test("the counting itself", () => {
    textOf.set(
      "sample.ts",
      "class A {\n  go(a: Map<string, number>, b = (c: number) => c): void {\n    x();\n  }\n}\nfunction f() {\n}\nconst g = (h: string) => {\n\n};\n",
    );
    expect(
      functionsOf("sample.ts").map(({ where, lines, parameters }) => [where, lines, parameters]),
    ).toEqual([
      ["sample.ts:2", 3, 2],
      ["sample.ts:6", 2, 0],
      ["sample.ts:8", 3, 1],
    ]);
    textOf.delete("sample.ts");
  });

  test(`no file has more than ${BUDGET.fileLines} lines`, () => {
    const files = [...sources, ...new Bun.Glob("{scripts,bench,test}/**/*.ts").scanSync({ cwd: ROOT })];
    const python = [...new Bun.Glob("python/**/*.py").scanSync({ cwd: ROOT })];
    const large = [...files, ...python].flatMap((file) => {
      const lines = readFileSync(join(ROOT, file), "utf8").split("\n").length;
      return lines > BUDGET.fileLines && !file.endsWith(".gen.ts") ? [`${file}: ${lines} lines`] : [];
    });
    expect(large).toEqual([]);
  });

  test(`no function has more than ${BUDGET.functionLines} lines or ${BUDGET.parameters} parameters`, () => {
    const functions = product.flatMap(functionsOf);
    expect(functions.length).toBeGreaterThan(100);
    const large = functions.filter(
      ({ name, lines, parameters }) =>
        lines > BUDGET.functionLines ||
        (parameters > BUDGET.parameters && MANY_PARAMETERS[name] === undefined),
    );
    expect(
      Object.keys(MANY_PARAMETERS).filter((name) => !functions.some((each) => each.name === name)),
    ).toEqual([]);
    expect(
      large.map(({ where, lines, parameters }) => `${where}: ${lines} lines, ${parameters} parameters`),
    ).toEqual([]);
  });
});

describe("words", () => {
  test("no console, no any", () => {
    const found = product.flatMap((file) => {
      const lines = bare(textOf.get(file) ?? "").split("\n");
      const said = (textOf.get(file) ?? "").split("\n");
      const excused = (at: number) => /biome-ignore lint\S*noExplicitAny/.test(said[at - 1] ?? "");
      return lines.flatMap((line, at) =>
        !excused(at) && /\bconsole\s*\.|(?:[:<|]|\bas)\s*any\b(?!\s*[(:.])/.test(line)
          ? [`${file}:${at + 1}`]
          : [],
      );
    });
    expect(found).toEqual([]);
  });

  test("every suppression says why", () => {
    const files = [...product, ...new Bun.Glob("python/headrace/**/*.py").scanSync({ cwd: ROOT })];
    const bad = files.flatMap((file) => {
      const lines = readFileSync(join(ROOT, file), "utf8").split("\n");
      return lines.flatMap((line, at) => {
        const ts = /biome-ignore [^:]+:\s*(.*)|@ts-(?:ignore|expect-error)\s*(.*)/.exec(line);
        return ts !== null && (ts[1] ?? ts[2] ?? "").trim().length < 5 ? [`${file}:${at + 1}`] : [];
      });
    });
    expect(bad).toEqual([]);
  });

  test("paths that the docs name exist", () => {
    const pages = [
      "README.md",
      "ARCHITECTURE.md",
      "CONTRIBUTING.md",
      ...new Bun.Glob("docs/**/*.md").scanSync({ cwd: ROOT }),
    ];
    const missing = pages.flatMap((page) => {
      const text = readFileSync(join(ROOT, page), "utf8");
      const named = [
        ...text.matchAll(/(?<![\w./*-])((?:src|python|test|bench|docs|examples|scripts)\/[\w./-]*[\w/])/g),
      ].map((match) => match[1] ?? "");
      const linked = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) =>
        join(dirname(page), match[1] ?? ""),
      );
      return [...named, ...linked]
        .filter((path) => !existsSync(join(ROOT, path)))
        .map((path) => `${page} names ${path}`);
    });
    expect([...new Set(missing)]).toEqual([]);
  });
});
