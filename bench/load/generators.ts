/** The load generators that are compared, each run once: requests answered, and the processor time it took for them. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../frame/places.ts";

export interface GeneratorRun {
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export interface ClosedLoop {
  readonly url: string;
  readonly connections: number;
  /** Whole seconds. */
  readonly seconds: number;
}

export interface Tool {
  readonly name: string;
  /** Why it cannot be run; null when it can. */
  readonly missing: string | null;
  command(load: ClosedLoop, scratch: string): readonly string[];
  /** Requests and failures, from what it wrote. */
  read(output: string, scratch: string): { readonly requests: number; readonly failed: number };
}

const LOCUST = join(ROOT, ".venv/bin/locust");
const OWN_K6 = join(ROOT, "bench/.tools/k6");
const K6 = existsSync(OWN_K6) ? OWN_K6 : "k6";

function lacks(program: string, how: string): string | null {
  return spawnSync(program, ["--version"]).error === undefined ? null : how;
}

export const tools: readonly Tool[] = [
  {
    name: "headrace load",
    missing: null,
    command: ({ url, connections, seconds }, scratch) => [
      join(ROOT, "headrace"),
      ...["load", url, "-c", `${connections}`, "-d", `${seconds}s`],
      ...["-q", "--admin", "off", "--json", join(scratch, "run.json")],
    ],
    read(_output, scratch) {
      const { totals } = JSON.parse(readFileSync(join(scratch, "run.json"), "utf8")) as {
        totals: { done: number; failed: number };
      };
      return { requests: totals.done, failed: totals.failed };
    },
  },
  {
    name: "wrk",
    missing: lacks("wrk", "not installed (apt-get install wrk)"),
    command: ({ url, connections, seconds }) => ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, url],
    read: (output) => ({
      requests: Number(/(\d+) requests in/.exec(output)?.[1] ?? Number.NaN),
      failed: Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0),
    }),
  },
  {
    name: "k6",
    missing: lacks(K6, "not installed (go install go.k6.io/k6@v1.3.0)"),
    command({ url, connections, seconds }, scratch) {
      const script = `import http from "k6/http";
export const options = { vus: ${connections}, duration: "${seconds}s", discardResponseBodies: true };
export default function () { http.get(${JSON.stringify(url)}); }
`;
      writeFileSync(join(scratch, "script.js"), script);
      return [
        K6,
        "run",
        "--quiet",
        "--no-usage-report",
        "--summary-export",
        join(scratch, "k6.json"),
        join(scratch, "script.js"),
      ];
    },
    read(_output, scratch) {
      const { metrics } = JSON.parse(readFileSync(join(scratch, "k6.json"), "utf8")) as {
        metrics: { http_reqs: { count: number }; http_req_failed: { value: number } };
      };
      const requests = metrics.http_reqs.count;
      return { requests, failed: Math.round(metrics.http_req_failed.value * requests) };
    },
  },
  {
    name: "locust",
    missing: existsSync(LOCUST) ? null : "not installed (make install)",
    command: ({ url, connections, seconds }, scratch) => [
      LOCUST,
      ...["-f", join(ROOT, "bench/load/locustfile.py"), "--headless", "--host", url.replace(/\/$/, "")],
      ...["-u", `${connections}`, "-r", `${connections}`, "-t", `${seconds}s`],
      ...["--only-summary", "--csv", join(scratch, "locust")],
    ],
    read(_output, scratch) {
      const rows = readFileSync(join(scratch, "locust_stats.csv"), "utf8").trim().split("\n");
      const total = rows.at(-1)!.split(",");
      return { requests: Number(total[2]), failed: Number(total[3]) };
    },
  },
];

/** Runs a tool to its end. @param cores as taskset takes them; null where the scheduler chooses */
export async function runTool(tool: Tool, load: ClosedLoop, cores: string | null): Promise<GeneratorRun> {
  const scratch = mkdtempSync(join(tmpdir(), "headrace-generator-"));
  try {
    const pin = cores === null ? [] : ["taskset", "-c", cores];
    const began = performance.now();
    const run = Bun.spawn([...pin, ...tool.command(load, scratch)], {
      stdout: "pipe",
      stderr: "pipe",
      stdin: "ignore",
    });
    const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
    await run.exited;
    const cpu = run.resourceUsage()?.cpuTime.total ?? 0;
    const { requests, failed } = tool.read(out + err, scratch);
    if (!Number.isFinite(requests)) throw new Error(`${tool.name} said: ${(out + err).slice(-500)}`);
    return { requests, failed, seconds: (performance.now() - began) / 1_000, cpuSeconds: Number(cpu) / 1e6 };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
