/**
 * Installs the peers: bench/.venv with the apps and the common ones, an environment of its own for each of the large ones, and wrk and
 * nginx from Debian's packages where that is allowed. What cannot be had is written to bench/.venv/missing.json, with the reason, and
 * the report names it; nothing here fails for a peer.
 *
 *   scripts/bun bench/install.ts [--without ray,litserve] [--python python3] [--limit SECONDS]
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { INSTALL_REPORT } from "./frame/missing.ts";
import type { Missing } from "./frame/model.ts";
import { ROOT } from "./frame/places.ts";

const BENCH = join(ROOT, "bench");
const PLATFORMS = { litserve: "LitServe", ray: "Ray Serve" } as const;
const K6 = "v1.3.0";
const PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];

const print = (line: string) => process.stdout.write(`${line}\n`);

/** Null when it went well; else the end of what it said. */
function run(command: readonly string[], limit: number): string | null {
  const [program = "", ...args] = command;
  const done = spawnSync(program, args, { encoding: "utf8", timeout: limit * 1_000, killSignal: "SIGKILL" });
  if (done.status === 0) return null;
  if (done.error !== undefined)
    return done.error.message.includes("ETIMEDOUT") ? `more than ${limit} s` : done.error.message;
  const lines = `${done.stdout}${done.stderr}`.trim().split("\n");
  return lines.find((line) => /^ERROR/.test(line)) ?? lines.at(-1) ?? `exit code ${done.status}`;
}

/** The lines of a file of requirements that name a package. */
export function requirements(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** An environment with all that a file names. Where not all can be installed at once, as much of it as can. */
function environment(
  folder: string,
  file: string,
  { python, limit }: { python: string; limit: number },
): Missing[] {
  const mark = join(folder, "installed.txt");
  const wanted = readFileSync(file, "utf8");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return [];
  rmSync(folder, { recursive: true, force: true });
  const made = run([python, "-m", "venv", folder], limit);
  if (made !== null) return [{ name: folder.replace(`${ROOT}/`, ""), why: made }];
  const pip = [join(folder, "bin/python"), ...PIP];
  const lacking: Missing[] = [];
  if (run([...pip, "-r", file], limit) !== null) {
    for (const package_ of requirements(wanted)) {
      const why = run([...pip, package_], limit);
      if (why !== null) lacking.push({ name: package_, why });
    }
  }
  if (lacking.length === 0) writeFileSync(mark, wanted);
  return lacking;
}

/** wrk and nginx, where this is Debian and the user may install. */
function tools(limit: number): Missing[] {
  const lacking = [
    { program: "wrk", package_: "wrk" },
    { program: "nginx", package_: "nginx-light" },
  ].filter(({ program }) => spawnSync(program, ["-v"]).error !== undefined);
  if (lacking.length === 0) return [];
  const may = process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).error === undefined;
  if (!may)
    return lacking.map(({ program, package_ }) => ({
      name: program,
      why: `not installed (apt-get install ${package_})`,
    }));
  run(["apt-get", "update", "-q"], limit);
  return lacking.flatMap(({ program, package_ }) => {
    const why = run(["apt-get", "install", "-q", "-y", "--no-install-recommends", package_], limit);
    return why === null ? [] : [{ name: program, why }];
  });
}

/** k6, a load generator, where there is Go to build it with: it comes as source only. */
function k6(limit: number): Missing[] {
  const folder = join(BENCH, ".tools");
  if (existsSync(join(folder, "k6")) || spawnSync("k6", ["version"]).error === undefined) return [];
  if (spawnSync("go", ["version"]).error !== undefined)
    return [{ name: "k6", why: `neither k6 nor Go is installed` }];
  const why = run(["env", `GOBIN=${folder}`, "go", "install", `go.k6.io/k6@${K6}`], limit);
  return why === null ? [] : [{ name: "k6", why }];
}

function main(): void {
  const { values } = parseArgs({
    options: {
      without: { type: "string", default: process.env["WITHOUT"] ?? "" },
      python: { type: "string", default: process.env["PYTHON"] ?? "python3" },
      limit: { type: "string", default: "300" },
    },
  });
  const how = { python: values.python, limit: Number(values.limit) };
  const missing = [
    ...tools(how.limit),
    ...(values.without.split(",").includes("k6") ? [] : k6(2 * how.limit)),
    ...environment(join(BENCH, ".venv"), join(BENCH, "requirements.txt"), how),
  ];
  const without = values.without.split(",");
  for (const [key, name] of Object.entries(PLATFORMS)) {
    const folder = join(BENCH, `.venv-${key}`);
    if (without.includes(key)) {
      missing.push({ name, why: "not wanted (--without)" });
      continue;
    }
    const lacking = environment(folder, join(BENCH, `requirements-${key}.txt`), how);
    if (lacking.length > 0) {
      // Half of it would start and fail.
      rmSync(folder, { recursive: true, force: true });
      missing.push({ name, why: lacking.map((each) => `${each.name}: ${each.why}`).join("; ") });
    }
  }
  if (existsSync(join(BENCH, ".venv")))
    writeFileSync(INSTALL_REPORT, `${JSON.stringify(missing, null, 1)}\n`);
  for (const { name, why } of missing) print(`missing: ${name}: ${why}`);
}

if (import.meta.main) main();
