import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { plainFailure, startError } from "../errors.ts";

/** Where to look for a Python interpreter. */
export interface InterpreterSearch {
  /** `--python`: a path or a command on PATH; null for none. */
  readonly python: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the app. */
  readonly appDir: string;
  readonly cwd: string;
}

export interface Interpreter {
  /** Path (or command) as it is spawned. Not resolved further: a virtual environment is known by the path of its link. */
  readonly path: string;
  readonly version: string;
  /** What named it, for people: "--python", "$VIRTUAL_ENV", ".venv beside the app" … */
  readonly source: string;
}

interface Candidate {
  readonly path: string;
  readonly source: string;
}

/** Oldest version that the worker runs on. */
const OLDEST = [3, 9] as const;
const PROBE = "import sys; print('%d.%d.%d' % sys.version_info[:3])";

/**
 * Finds the interpreter: `--python`, else `$VIRTUAL_ENV`, else `.venv` or `venv` beside the app, then in the working
 * directory, else `python3`. Runs it once to see that it works and is new enough.
 * @throws HeadraceError interpreter_missing, interpreter_broken or interpreter_too_old
 */
export async function findInterpreter(search: InterpreterSearch): Promise<Interpreter> {
  const candidate = choose(search);
  const version = await probe(candidate, search.env);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    const message = `${candidate.path} (${candidate.source}) is Python ${version}; Headrace needs ${OLDEST.join(".")} or newer.`;
    throw startError(plainFailure("interpreter_too_old", message));
  }
  return { ...candidate, version };
}

function choose({ python, env, appDir, cwd }: InterpreterSearch): Candidate {
  if (python !== null) {
    const path = python.includes("/") ? python : Bun.which(python, { PATH: env["PATH"] ?? "" });
    if (path !== null && existsSync(path)) return { path, source: "--python" };
    throw startError(plainFailure("interpreter_missing", `There is no interpreter ${python} (--python).`));
  }
  const active = env["VIRTUAL_ENV"];
  if (active) {
    const path = join(active, "bin", "python");
    if (existsSync(path)) return { path, source: "$VIRTUAL_ENV" };
    const message = `$VIRTUAL_ENV is ${active}, but there is no bin/python in it.`;
    throw startError(plainFailure("interpreter_missing", message));
  }
  for (const folder of new Set([appDir, cwd])) {
    for (const name of [".venv", "venv"]) {
      const path = join(folder, name, "bin", "python");
      if (existsSync(path)) return { path, source: `${name} in ${basename(folder)}` };
    }
  }
  const path =
    Bun.which("python3", { PATH: env["PATH"] ?? "" }) ?? Bun.which("python", { PATH: env["PATH"] ?? "" });
  if (path !== null) return { path, source: "PATH" };
  throw startError(
    plainFailure("interpreter_missing", "There is no python3 on the PATH, and no virtual environment."),
  );
}

async function probe(candidate: Candidate, env: InterpreterSearch["env"]): Promise<string> {
  const broken = (why: string) => {
    const message = `${candidate.path} (${candidate.source}) does not run: ${why}.`;
    return startError(plainFailure("interpreter_broken", message));
  };
  let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  try {
    child = Bun.spawn([candidate.path, "-c", PROBE], { env: { ...env }, stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw broken(messageOf(error));
  }
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const status = await child.exited;
  const version = out.trim();
  if (status === 0 && /^\d+\.\d+\.\d+$/.test(version)) return version;
  throw broken(
    err.trim().split("\n").at(-1) || `it answered ${JSON.stringify(version)} with exit status ${status}`,
  );
}
