/** Reads a project's Python files with the user's interpreter, without importing any: what `headrace init` finds. */

import { join } from "node:path";
import { Exit, HeadraceError } from "../base/errors.ts";
import { findInterpreter } from "../instances/index.ts";
import { PACKAGE_DIR } from "./pool-spec.ts";

export interface FoundApp {
  readonly attribute: string;
  readonly line: number;
  /** `FastAPI`; empty where only its name says that it is an app. */
  readonly framework: string;
  readonly interface: "asgi" | "wsgi" | "";
  /** It is a function that makes the app. */
  readonly factory: boolean;
}

export interface FoundFunction {
  readonly attribute: string;
  readonly line: number;
  readonly signature: "http" | "cloudevent" | "typed";
}

/** A call of uvicorn.run and the like. */
export interface FoundLaunch {
  readonly line: number;
  readonly call: string;
  /** `main:app`, `:app` of the same module, empty when it is not known. */
  readonly app: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** `port=int(PORT)`. */
  readonly unknown: readonly string[];
}

export interface FoundModule {
  readonly apps: readonly FoundApp[];
  readonly functions: readonly FoundFunction[];
  readonly launches: readonly FoundLaunch[];
  /** Frameworks that speak neither ASGI nor WSGI, and where. */
  readonly others: readonly (readonly [framework: string, line: number])[];
}

export interface FoundSetting {
  readonly name: string;
  readonly line: number;
  readonly value: string | number | boolean | null;
  readonly source: string;
}

export interface Scan {
  readonly modules: Readonly<Record<string, FoundModule>>;
  readonly settings: Readonly<Record<string, readonly FoundSetting[]>>;
  /** Files that cannot be read, and why. */
  readonly unread: Readonly<Record<string, string>>;
}

/**
 * @param files relative to the root: modules that may have apps, and files that configure gunicorn
 * @throws HeadraceError when there is no interpreter, or it fails
 */
export async function scanProject(
  root: string,
  files: { readonly modules: readonly string[]; readonly settings: readonly string[] },
  env: Readonly<Record<string, string | undefined>>,
): Promise<Scan> {
  const { path } = await findInterpreter({ python: null, appDir: root, cwd: root, env });
  const script = join(PACKAGE_DIR, "headrace", "project", "__main__.py");
  const child = Bun.spawn([path, "-I", script], {
    stdin: new Blob([JSON.stringify({ root, ...files })]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) === 0) return JSON.parse(out) as Scan;
  const message = `${path} could not read the project's files.`;
  throw new HeadraceError("scan_failed", message, { exit: Exit.SYSTEM, detail: err });
}
