/** Results that are made up, for tests. */
import type { PartResult, Results, Sample } from "../frame/model.ts";

/** Headrace against uvicorn: 1.5, 2 and 2.5 times its rate in three rounds, half its p99; a fourth round does not count. */
export function part(name = "made-up"): PartResult {
  const sample = (
    stack: string,
    round: number,
    values: Sample["values"],
    faults: readonly string[] = [],
  ): Sample => ({
    case: "app",
    stack,
    round,
    values,
    others: round / 10,
    faults,
  });
  return {
    name,
    about: "About it.",
    seconds: 12,
    commands: { "app: uvicorn": "bench/.venv/bin/uvicorn app:app" },
    metrics: {
      rate: { unit: "/s", better: "more", about: "requests a second" },
      p99: { unit: "ms", better: "less", about: "latency" },
    },
    pairs: [{ case: "app", stack: "headrace", peer: "uvicorn", main: true }],
    samples: [
      ...[1.5, 2, 2.5].flatMap((by, at) => [
        sample("headrace", at + 1, { rate: 100 * by, p99: 5 }),
        sample("uvicorn", at + 1, { rate: 100, p99: 10 }),
      ]),
      sample("headrace", 4, { rate: 1_000, p99: 1 }),
      sample("uvicorn", 4, { rate: 1, p99: 1 }, ["3 of 9 failed"]),
    ],
    bars: [{ case: "app", stack: "headrace", metric: "p99", most: 10 }],
    series: [],
    absent: [],
  };
}

export function results(parts: readonly PartResult[]): Results {
  return {
    format: 1,
    startedAt: "2026-01-02T03:04:05.678Z",
    seconds: 60,
    label: "",
    commit: "0123456789ab",
    command: "scripts/bun bench/run.ts --only made-up",
    settings: { rounds: 4, seconds: 1, quick: false, budget: 30, pin: null, stacks: [], before: null },
    machine: {
      cpu: "A processor",
      cores: 2,
      memoryBytes: 2 ** 34,
      kernel: "6.1",
      openFiles: 1024,
      sysctl: {},
    },
    versions: { Bun: "1.2.3", uvicorn: "0.1" },
    missing: [{ name: "Granian", why: "no wheel\nand more" }],
    leftOut: [],
    parts,
  };
}
