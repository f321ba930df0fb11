/** Headrace, with the peers' interpreter. */
import { join } from "node:path";
import { APPS, PYTHON, ROOT } from "../frame/places.ts";
import type { App, Size, Stack } from "./stack.ts";

export function headraceName({ processes }: Size): string {
  return processes === 1 ? "headrace" : `headrace, ${processes} instances`;
}

/** @param more flags beside those that make it like its peers; `name` where they make it another one */
export function headrace(
  app: App,
  size: Size,
  more: readonly string[] = [],
  name = headraceName(size),
): Stack {
  return {
    name,
    against: null,
    missing: null,
    launch: ({ port, spare }) => ({
      command: [join(ROOT, "headrace"), "run", app.target, ...flags(app, size, port, spare), ...more],
      cwd: APPS,
    }),
  };
}

function flags(app: App, { processes, slots }: Size, port: number, admin: number): string[] {
  const all = {
    "--interface": app.kind,
    "--app-dir": APPS,
    "--port": port,
    "--admin-port": admin,
    "--python": PYTHON,
    "--access-log": "off",
    "--line-depth": 10_000,
    "--concurrency": slots,
    "--instances": processes,
  };
  return Object.entries(all).flatMap(([flag, value]) => [flag, String(value)]);
}
