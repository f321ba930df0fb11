/** `headrace load`, run to its end or to a signal. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import type { LoadResult } from "../../src/load/result.ts";
import { command, ROOT, soon } from "./harness.ts";

export interface Run {
  readonly status: number | null;
  readonly result: LoadResult;
  readonly stderr: string;
}

/** Loads, and reads the result. */
export async function load(...args: readonly string[]): Promise<Run> {
  const { status, stdout, stderr } = await command(withJson(args));
  return read({ status, stdout, stderr });
}

/** The same with a signal as soon as `until` has come. */
export async function loadUntil(
  until: (stderr: () => string) => Promise<unknown>,
  signal: NodeJS.Signals,
  args: readonly string[],
): Promise<Run> {
  const child = spawn(join(ROOT, "headrace"), withJson(args), { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => void child.once("close", resolve));
  try {
    await soon(
      "the moment of the signal",
      until(() => stderr),
    );
    child.kill(signal);
    return read({ status: await soon("the end", ended), stdout, stderr });
  } finally {
    child.kill("SIGKILL");
  }
}

function withJson(args: readonly string[]): readonly string[] {
  return ["load", ...args, "--json", "-", "--admin", "off"];
}

function read({ status, stdout, stderr }: Record<"stdout" | "stderr", string> & Pick<Run, "status">): Run {
  if (!stdout.startsWith("{")) throw new Error(`no result (exit ${status}):\n${stdout}${stderr}`);
  return { status, result: JSON.parse(stdout) as LoadResult, stderr };
}
