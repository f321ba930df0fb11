/** Ray Serve and LitServe: each in an environment of its own, each with the smallest model. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { APPS, ROOT } from "../frame/places.ts";
import type { Stack } from "./stack.ts";

function platform(name: string, environment: string, script: string): Stack {
  const python = join(ROOT, "bench", environment, "bin/python");
  return {
    name,
    against: "headrace",
    ready: "/health",
    missing: existsSync(python) ? null : `there is no bench/${environment}`,
    launch: ({ port, scratch }) => ({
      command: [python, script, "--port", String(port)],
      cwd: APPS,
      env: { RAY_TMPDIR: scratch, RAY_USAGE_STATS_ENABLED: "0", RAY_SERVE_THROUGHPUT_OPTIMIZED: "1" },
    }),
  };
}

export function rayServe(): Stack {
  return platform("Ray Serve", ".venv-ray", "predict_ray.py");
}

export function litServe(): Stack {
  return platform("LitServe", ".venv-litserve", "predict_litserve.py");
}
