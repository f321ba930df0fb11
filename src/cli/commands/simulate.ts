import { readFileSync } from "node:fs";
import { readAccessLog } from "../../autoscaler/simulate/access-log.ts";
import { expectedRequests, readTrace, type Trace } from "../../autoscaler/simulate/trace.ts";
import type { SimulationOptions } from "../../autoscaler/simulate/world.ts";
import { MOST_FOLLOWED, MOST_ROWS, simulate as replay } from "../../autoscaler/simulate.ts";
import { Exit, messageOf, systemCode } from "../../base/errors.ts";
import { writeDuration } from "../../base/units.ts";
import { parse } from "../../config/parse.ts";
import type { Problem } from "../../config/problem.ts";
import { absolute } from "../../config/resolve.ts";
import type { Io } from "../io.ts";
import { tellProblems } from "../tell.ts";
import { type ParsedSimulate, type SimulateValues, simulateOptions } from "./simulate-options.ts";
import { settingProblems, settingsOf } from "./simulate-settings.ts";
import { simulateHelp, simulationText } from "./simulate-text.ts";

/** Problems after which the help is worth reading. */
const HELPED: ReadonlySet<string> = new Set(["unknown_flag", "unexpected_argument", "trace_invalid"]);

/** Instead of a file's name. */
const STDIN = "-";

/** `headrace simulate`: replays a trace of arrivals through the autoscaler. Starts nothing. */
export function simulate(argv: readonly string[], io: Io): number {
  const parsed = parse(simulateOptions, argv, {});
  if (parsed.help) {
    io.out(simulateHelp(io.columns));
    return Exit.OK;
  }
  const problems = [...parsed.problems, ...settingProblems(parsed)];
  const path = traceArgument(parsed.positionals, problems);
  const trace = path === null ? null : loadTrace(path, io.cwd, problems);
  if (trace !== null) problems.push(...sizeProblems(trace, parsed.values));
  if (problems.length > 0 || trace === null) {
    tellProblems(io, problems, []);
    if (problems.some(({ code }) => HELPED.has(code)))
      io.err("headrace simulate --help lists all flags and the columns of a trace.\n");
    return Exit.USAGE;
  }
  const { values } = parsed;
  const options = simulationOptions(parsed);
  const report = replay(trace, options);
  if (values.json) io.out(`${JSON.stringify({ trace: path, options, ...report }, null, 2)}\n`);
  else
    io.out(
      simulationText({
        title: path === STDIN ? "stdin" : (path ?? ""),
        options,
        report,
        why: values.why,
        columns: io.columns,
      }),
    );
  return Exit.OK;
}

function traceArgument(positionals: readonly string[], problems: Problem[]): string | null {
  const [first, second] = positionals;
  if (first !== undefined && second === undefined) return first;
  const instead = `Write headrace simulate ${first ?? "trace.csv"} and its flags.`;
  if (second === undefined) {
    problems.push({ code: "trace_invalid", subject: "", message: "No trace is named.", instead });
  } else {
    const message = `There is one trace to a command: ${JSON.stringify(second)} is too much.`;
    problems.push({ code: "unexpected_argument", subject: "", message, instead });
  }
  return null;
}

function loadTrace(path: string, cwd: string, problems: Problem[]): Trace | null {
  let text: string;
  try {
    text = readFileSync(path === STDIN ? 0 : absolute(path, cwd), "utf8");
  } catch (error) {
    const why = systemCode(error) === "ENOENT" ? "does not exist" : `cannot be read (${messageOf(error)})`;
    const instead = "Name a file that can be read.";
    problems.push({ code: "file_unreadable", subject: "", message: `The file ${path} ${why}.`, instead });
    return null;
  }
  const read = text.trimStart().startsWith("{") ? readAccessLog(text) : readTrace(text);
  if (read.ok) return read.trace;
  for (const { line, column, message, instead } of read.problems) {
    problems.push({ code: "trace_invalid", subject: `${path}:${line}:${column}`, message, instead });
  }
  return null;
}

/** What would take too long, or print too much, with this trace. */
function* sizeProblems(trace: Trace, { interval, model }: SimulateValues): Generator<Problem> {
  const rows = interval === 0 ? 0 : Math.ceil(trace.durationMs / interval);
  if (rows > MOST_ROWS) {
    const message = `This trace would have ${rows} rows, of ${MOST_ROWS} at most.`;
    const least = writeDuration(Math.ceil(trace.durationMs / MOST_ROWS));
    yield { code: "conflict", subject: "--interval", message, instead: `Write at least ${least}.` };
  }
  const requests = Math.round(expectedRequests(trace));
  if (model === "events" && requests > MOST_FOLLOWED) {
    const message = `This trace has ${requests} requests; at most ${MOST_FOLLOWED} are followed one by one.`;
    yield { code: "conflict", subject: "--model", message, instead: "Write --model fluid." };
  }
}

function simulationOptions(parsed: ParsedSimulate): SimulationOptions {
  const { values } = parsed;
  const settings = settingsOf(parsed);
  // As headrace run has it: a line is as long as the largest service can make use of.
  const longest = 10 * settings.concurrency * settings.maxInstances;
  return {
    settings,
    serviceTimeMs: values.serviceTime,
    serviceCv: values.serviceSpread / 100,
    startTimeMs: values.startTime,
    lineDepth: values.lineDepth === "auto" ? longest : values.lineDepth,
    lineWaitMs: values.lineWait,
    seed: values.seed,
    even: values.even,
    model: values.model,
    intervalMs: values.interval === 0 ? null : values.interval,
  };
}
