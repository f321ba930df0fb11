import { Exit, HeadraceError } from "../../base/errors.ts";
import { mayColor } from "../../base/terminal.ts";
import { parse } from "../../config/parse.ts";
import type { Problem } from "../../config/problem.ts";
import { loadErrors } from "../../load/errors.ts";
import { LOAD_EXIT } from "../../load/outcome.ts";
import { csv } from "../../load/report/csv.ts";
import { html } from "../../load/report/html.ts";
import type { LoadResult, TargetFacts } from "../../load/result.ts";
import { Session } from "../../load/session.ts";
import { summary } from "../../load/summary.ts";
import type { Condition } from "../../load/thresholds.ts";
import { scenarioWork, urlWork } from "../../load/work.ts";
import { optionHelp } from "../help.ts";
import type { Io } from "../io.ts";
import { tellProblems } from "../tell.ts";
import { type Admin, adminOf, checkAdmin } from "./load-admin.ts";
import { compareFiles } from "./load-compare.ts";
import { findMax } from "./load-find-max.ts";
import { kindOf, unfitFlags } from "./load-fit.ts";
import { type LoadValues, loadGroups, loadOptions } from "./load-options.ts";
import { isScenario, scenarioPlan, scenarioSettings } from "./load-scenario.ts";
import { LoadScreen } from "./load-screen.ts";
import { type Asked, Complaints, conditionsOf, settingsOf } from "./load-settings.ts";
import { writeReport } from "./load-write.ts";

const HELP = `Sends requests to a service and measures what comes back. Without --connections the load is open: requests begin on a
schedule, and their latency counts from the moment at which they should have begun.

Usage
  headrace load URL [flags]
  headrace load http://127.0.0.1:8080/ --rate 2000 --duration 30s
  headrace load URL --stages 0:0,30s:5000,60s:5000,70s:0 --fail-if 'p99>200ms' --fail-if 'errors>0.1%'
  headrace load URL --connections 64 --duration 10s             closed loop
  headrace load URL --connections 50000 --hold 10s              many at once
  headrace load URL --find-max --slo 'p99<100ms'
  headrace load scenario.py --host http://127.0.0.1:8080 --users 100   also locustfile.py
  headrace load --compare before.json after.json

In URL, headers and body: {{seq}} {{uuid}} {{time}} {{random:1:1000}}.
`;

const AFTER = `
Exit codes: 0 done, 99 a condition of --fail-if was met, 98 the generator could not keep up, 105 interrupted, 2 wrong flags or
nobody answers there, 1 fault. With --compare: 99 something is worse, 98 nothing could be judged.
`;

/** The help of `headrace load`. @param columns width to wrap to */
export function loadHelp(columns: number): string {
  const sections = loadGroups.map((group) => {
    const rows = Object.values(loadOptions).filter((option) => option.group === group);
    return `\n${group}\n${rows.map((option) => optionHelp(option, columns)).join("")}`;
  });
  return `${HELP}${sections.join("")}${AFTER}`;
}

/** `headrace load`. */
export async function load(argv: readonly string[], io: Io): Promise<number> {
  // Variables such as HEADRACE_TIMEOUT are meant for the service.
  const parsed = parse(loadOptions, argv, {});
  if (parsed.help) {
    io.out(loadHelp(io.columns));
    return Exit.OK;
  }
  const { values, origins, positionals } = parsed;
  const complaints = new Complaints();
  const asked: Asked = { values, origins, url: positionals[0] ?? null, cwd: io.cwd };
  checkAdmin(values.admin, complaints);
  const run = runOf(asked, positionals, { complaints, io });
  const problems = [...parsed.problems, ...complaints.problems];
  if (problems.length > 0) {
    tellProblems(io, problems, []);
    io.err("headrace load --help lists all flags.\n");
    return Exit.USAGE;
  }
  return run === null ? compareFiles(positionals, values.json, io) : carryOut(run, values, io);
}

/** Null: nothing is sent, two files are compared. */
function runOf(asked: Asked, positionals: readonly string[], context: Context): Run | null {
  if (asked.values.compare) {
    context.complaints.problems.push(...unfitFlags("compare", asked.origins));
    return null;
  }
  if (isScenario(asked.url)) return scenarioRun(asked, positionals.slice(1), context);
  return urlRun(asked, positionals, context);
}

/** What is to be done, when nothing is wrong with it. */
interface Run {
  readonly target: TargetFacts;
  readonly failIf: readonly Condition[];
  readonly admin: Admin | null;
  readonly perform: (session: Session, screen: LoadScreen) => Promise<LoadResult>;
}

interface Context {
  readonly complaints: Complaints;
  readonly io: Io;
}

function urlRun(asked: Asked, positionals: readonly string[], { complaints, io }: Context): Run {
  const { values } = asked;
  targetProblems(positionals, values, complaints.problems);
  complaints.problems.push(...unfitFlags(kindOf(values), asked.origins));
  const settings = settingsOf(asked, complaints);
  const slo = conditionsOf("--slo", values.slo, complaints);
  if (values.findMax && values.slo.length === 0)
    complaints.conflict("--find-max", "It needs a promise to keep.", "Write --slo 'p99<100ms'.");
  const command = [process.execPath, ...process.execArgv, Bun.main, "__load"];
  return {
    target: {
      kind: "url",
      name: withoutSecret(asked.url ?? values.urls),
      method: settings.requests[0]?.method ?? "GET",
    },
    failIf: conditionsOf("--fail-if", values.failIf, complaints),
    admin:
      complaints.problems.length > 0
        ? null
        : adminOf(values.admin, { url: settings.requests[0]!.url, requests: settings.requests }, io),
    perform: async (session, screen) =>
      values.findMax
        ? findMax({ session, settings, slo, stepMs: values.stepDuration, screen, command })
        : session.run(await urlWork(settings, command)),
  };
}

/** Reports are handed on; what lets somebody in is not for all who read them. */
function withoutSecret(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/?#]*@/, "$1");
}

function scenarioRun(asked: Asked, more: readonly string[], { complaints, io }: Context): Run {
  const { values } = asked;
  const plan = scenarioPlan(asked, more, complaints);
  return {
    target: { kind: plan.kind, name: asked.url ?? "", method: "" },
    failIf: conditionsOf("--fail-if", values.failIf, complaints),
    admin:
      complaints.problems.length > 0 ? null : adminOf(values.admin, { url: plan.host, requests: null }, io),
    perform: async (session) => session.run(await scenarioWork(await scenarioSettings(plan, asked, io))),
  };
}

function targetProblems(positionals: readonly string[], { urls }: LoadValues, problems: Problem[]): void {
  const [first, second] = positionals;
  if (second !== undefined) {
    const message = `There is one target to a load: ${JSON.stringify(second)} is too much.`;
    problems.push({
      code: "unexpected_argument",
      subject: "",
      message,
      instead: "For several URLs, write --urls FILE.",
    });
  } else if (first !== undefined && urls !== "") {
    const message = "It cannot be used with a URL.";
    problems.push({ code: "conflict", subject: "--urls", message, instead: "Put the URL into the file." });
  }
}

async function carryOut(run: Run, values: LoadValues, io: Io): Promise<number> {
  const screen = new LoadScreen(io, values.quiet);
  const { target, failIf, admin } = run;
  const session = new Session({ target, failIf, admin, observer: screen });
  const interrupt = () => session.interrupt();
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    const result = await run.perform(session, screen);
    screen.close();
    report(result, values, io);
    if (result.verdict === "ok" && nothingSent(result)) throw nothing();
    return LOAD_EXIT[result.verdict];
  } finally {
    screen.close();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

/** All that there was were exceptions of a scenario that came before any request, or not even those. */
function nothingSent({ totals, statuses, failures }: LoadResult): boolean {
  const exceptions = failures["exception"] ?? 0;
  return totals.done <= exceptions && totals.opened === 0 && Object.keys(statuses).length === 0;
}

function nothing(): HeadraceError {
  const { exit, hint } = loadErrors.load_nothing;
  return new HeadraceError("load_nothing", "Not one request was counted.", { exit, hint });
}

/** The summary, and the files that were asked for. */
function report(result: LoadResult, values: LoadValues, io: Io): void {
  const json = `${JSON.stringify(result, null, 2)}\n`;
  const toStdout = [values.json, values.csv, values.html].includes("-");
  // Whoever takes the JSON from stdout wants nothing else there.
  const say = toStdout ? io.err : io.out;
  const [isTerminal, columns] = toStdout
    ? [io.stderrIsTerminal, io.stderrColumns]
    : [io.stdoutIsTerminal, io.columns];
  say(summary(result, { color: mayColor(isTerminal, io.env), columns }));
  writeReport(values.json, () => json, io);
  writeReport(values.csv, () => csv(result), io);
  writeReport(values.html, () => html(result), io);
}
