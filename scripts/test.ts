/**
 * Runs every check and every test of the repository and adds them up. A check (lint, types, style) counts as one; a test
 * counts as its runner reports it. A runner that crashes, hangs, or finds nothing to run counts as one failure, so a
 * broken run can never look like a short one. The last line is "N passed, N failed".
 *
 *   scripts/bun scripts/test.ts [--only part,part] [--verbose] [name filter of system stories ...]
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { countReport } from "./junit.ts";

const ROOT = join(import.meta.dir, "..");
const BUN = process.execPath;
const PYTHON = join(ROOT, ".venv/bin/python");

/** Longest time for one command, then its process group is killed. */
const TIMEOUT_MS = 8 * 60_000;

/** Parts that run at once. Most of a story's time is spent waiting. */
const LANES = Math.min(2, availableParallelism());

interface Part {
  readonly name: string;
  readonly command: readonly string[];
  /** Where the runner writes its JUnit report; empty for a check, which counts as one. */
  readonly report: string;
}

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

interface Finished {
  readonly output: string;
  /** Exit status, or null when a signal or the timeout ended it. */
  readonly status: number | null;
}

const options = readOptions(process.argv.slice(2));
const scratch = mkdtempSync(join(tmpdir(), "headrace-test-"));

function readOptions(args: readonly string[]): { only: string[]; verbose: boolean; stories: string[] } {
  const found = { only: [] as string[], verbose: false, stories: [] as string[] };
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? "";
    if (arg === "--verbose") found.verbose = true;
    else if (arg === "--only") found.only = (args[++at] ?? "").split(",");
    else found.stories.push(arg);
  }
  return found;
}

function check(name: string, ...command: string[]): Part {
  return { name, command, report: "" };
}

function bunTest(name: string, files: readonly string[]): Part {
  const report = join(scratch, `${name.replaceAll(/[^\w.-]/g, "-")}.xml`);
  const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
  return { name, command: [BUN, "test", ...reporter, ...files.map((file) => `./${file}`)], report };
}

function pytest(): Part {
  const report = join(scratch, "python.xml");
  return {
    name: "python",
    command: [PYTHON, "-m", "pytest", "-q", `--junitxml=${report}`, "python/tests"],
    report,
  };
}

function find(pattern: string): string[] {
  return [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })]
    .filter((file) => !file.includes("node_modules"))
    .sort();
}

/** Unit tests by folder, stories by file: what hangs or crashes a runner costs one of them and is named by it. */
function bunParts(): Part[] {
  const files = ["src", "scripts", "bench", "test"].flatMap((folder) => find(`${folder}/**/*.test.ts`));
  const groups = Map.groupBy(files, (file) => {
    const [top = "", room = ""] = file.split("/");
    if (file.startsWith("test/system/")) return file.slice("test/".length, -".test.ts".length);
    return top === "src" ? `unit/${room}` : `unit/${top}`;
  });
  return [...groups].map(([name, members]) => bunTest(name, members));
}

/** Everything there is, cheap parts first. */
function allParts(): Part[] {
  return [
    check("biome", join(ROOT, "node_modules/.bin/biome"), "check", "."),
    check("tsc", join(ROOT, "node_modules/.bin/tsc"), "--noEmit"),
    check("ruff", PYTHON, "-m", "ruff", "check", "."),
    check("ruff-format", PYTHON, "-m", "ruff", "format", "--check", "."),
    check("mypy", PYTHON, "-m", "mypy"),
    pytest(),
    ...bunParts(),
  ];
}

/** Keeps the parts that were asked for: a name, or the folder before its slash ("system" for all stories). */
function chosen(parts: readonly Part[]): Part[] {
  return parts.filter((part) => {
    const group = part.name.split("/")[0] ?? "";
    if (options.only.length > 0 && !options.only.includes(part.name) && !options.only.includes(group))
      return false;
    return (
      group !== "system" ||
      options.stories.length === 0 ||
      options.stories.some((word) => part.name.includes(word))
    );
  });
}

function run(part: Part): Promise<Finished> {
  return new Promise((resolve) => {
    const [program = "", ...args] = part.command;
    const child = spawn(program, args, { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const pieces: string[] = [];
    const keep = (chunk: Buffer) => {
      pieces.push(chunk.toString());
      if (options.verbose) process.stdout.write(chunk);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const timer = setTimeout(() => {
      pieces.push(`\nnot finished after ${TIMEOUT_MS / 1000} s: killed\n`);
      killGroup(child.pid);
    }, TIMEOUT_MS);
    const finish = (status: number | null) => {
      clearTimeout(timer);
      killGroup(child.pid);
      resolve({ output: pieces.join(""), status });
    };
    child.once("error", (error) => {
      pieces.push(`${program}: ${error.message}\n`);
      finish(null);
    });
    // "exit", not "close": a process that a test left behind may hold the pipes open for ever.
    child.once("exit", (status) => setImmediate(finish, status));
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty: nothing was left behind.
  }
}

function tallyOf(part: Part, finished: Finished): Tally {
  const ok = finished.status === 0;
  if (part.report === "") return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
  let report = "";
  try {
    report = readFileSync(part.report, "utf8");
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const tally = countReport(report);
  const nothing = tally.passed + tally.failed + tally.skipped === 0;
  // A failing runner with a clean report crashed outside of any test.
  if (nothing || (!ok && tally.failed === 0)) tally.failed += 1;
  return tally;
}

/** Runs one part and says how it went. */
async function report(part: Part): Promise<Tally> {
  const since = performance.now();
  const finished = await run(part);
  const tally = tallyOf(part, finished);
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  if (tally.failed > 0 && !options.verbose) process.stdout.write(`${finished.output.trimEnd()}\n`);
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : "";
  const mark = tally.failed > 0 ? "FAILED" : "ok    ";
  process.stdout.write(
    `${mark} ${part.name}: ${tally.passed} passed, ${tally.failed} failed${skipped} (${seconds} s)\n`,
  );
  return tally;
}

async function main(): Promise<number> {
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  const waiting = chosen(allParts());
  const lane = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const tally = await report(part);
      total.passed += tally.passed;
      total.failed += tally.failed;
      total.skipped += tally.skipped;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  if (total.passed + total.failed === 0) total.failed = 1;
  if (total.skipped > 0) process.stdout.write(`${total.skipped} skipped, each with its reason in its name\n`);
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  return total.failed > 0 ? 1 : 0;
}

if (import.meta.main) {
  let code = 1;
  try {
    code = await main();
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  process.exit(code);
}
