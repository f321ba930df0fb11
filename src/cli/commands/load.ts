import { writeFileSync } from "node:fs";
import { Exit, HeadraceError, messageOf } from "../../base/errors.ts";
import { parse } from "../../config/parse.ts";
import type { Problem } from "../../config/problem.ts";
import { absolute } from "../../config/resolve.ts";
import { LOAD_EXIT } from "../../load/outcome.ts";
import { csv } from "../../load/report/csv.ts";
import { html } from "../../load/report/html.ts";
import type { LoadResult } from "../../load/result.ts";
import { Session } from "../../load/session.ts";
import type { LoadSettings } from "../../load/settings.ts";
import { summary } from "../../load/summary.ts";
import type { Condition } from "../../load/thresholds.ts";
import { optionHelp } from "../help.ts";
import type { Io } from "../io.ts";
import { tellProblems } from "../tell.ts";
import { adminOf } from "./load-admin.ts";
import { findMax } from "./load-find-max.ts";
import { type LoadValues, loadGroups, loadOptions } from "./load-options.ts";
import { LoadScreen } from "./load-screen.ts";
import { Complaints, conditionsOf, settingsOf } from "./load-settings.ts";

const HELP = `Sends requests to a service and measures what comes back. Without --connections the load is open: requests begin on a
schedule, and their latency counts from the moment at which they should have begun.

Usage
  headrace load URL [flags]
  headrace load http://127.0.0.1:8080/ --rate 2000 --duration 30s
  headrace load URL --stages 0:0,30s:5000,60s:5000,70s:0 --fail-if 'p99>200ms' --fail-if 'errors>0.1%'
  headrace load URL --connections 64 --duration 10s             closed loop
  headrace load URL --connections 50000 --hold 10s              many at once
  headrace load URL --find-max --slo 'p99<100ms'
  headrace load --compare before.json after.json

In URL, headers and body: {{seq}} {{uuid}} {{time}} {{random:1:1000}}.
`;

const AFTER = `
Exit codes: 0 done, 99 a condition of --fail-if was met, 98 the generator could not keep up, 105 interrupted, 2 wrong flags or
nobody answers there, 1 fault.
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
  const url = targetOf(positionals, values, complaints.problems);
  const settings = settingsOf({ values, origins, url, cwd: io.cwd }, complaints);
  const failIf = conditionsOf("--fail-if", values.failIf, complaints);
  const slo = conditionsOf("--slo", values.slo, complaints);
  checkSearch(values, settings, complaints);
  const problems = [...parsed.problems, ...complaints.problems];
  if (problems.length > 0) {
    tellProblems(io, problems, []);
    io.err("headrace load --help lists all flags.\n");
    return Exit.USAGE;
  }
  return run({ settings, values, failIf, slo, name: url ?? values.urls }, io);
}

function targetOf(positionals: readonly string[], { urls }: LoadValues, problems: Problem[]): string | null {
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
  return first ?? null;
}

function checkSearch(values: LoadValues, settings: LoadSettings, complaints: Complaints): void {
  if (!values.findMax && values.slo.length > 0)
    complaints.conflict(
      "--slo",
      "It is what --find-max looks for.",
      "Write --find-max too, or --fail-if with the opposite.",
    );
  if (!values.findMax) return;
  if (values.slo.length === 0)
    complaints.conflict("--find-max", "It needs a promise to keep.", "Write --slo 'p99<100ms'.");
  if (settings.shape.model !== "open" || values.stages.length > 0)
    complaints.conflict(
      "--find-max",
      "It looks for a rate.",
      "Leave --connections, --hold and --stages out.",
    );
}

interface Run {
  readonly settings: LoadSettings;
  readonly values: LoadValues;
  readonly failIf: readonly Condition[];
  readonly slo: readonly Condition[];
  /** The URL, or the file of URLs. */
  readonly name: string;
}

async function run(asked: Run, io: Io): Promise<number> {
  const { settings, values, name } = asked;
  const screen = new LoadScreen(io, values.quiet);
  const session = new Session({
    target: { kind: "url", name, method: settings.requests[0]!.method },
    failIf: asked.failIf,
    notes: [],
    command: [process.execPath, ...process.execArgv, Bun.main, "__load"],
    admin: adminOf(values.admin, settings, io),
    observer: screen,
  });
  const interrupt = () => session.interrupt();
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    const result = values.findMax
      ? await findMax({ session, settings, slo: asked.slo, stepMs: values.stepDuration, screen })
      : await session.run(settings);
    screen.close();
    report(result, values, io);
    return LOAD_EXIT[result.verdict];
  } finally {
    screen.close();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

/** The summary, and the files that were asked for. */
function report(result: LoadResult, values: LoadValues, io: Io): void {
  const json = `${JSON.stringify(result, null, 2)}\n`;
  const toStdout = [values.json, values.csv, values.html].includes("-");
  // Whoever takes the JSON from stdout wants nothing else there.
  const say = toStdout ? io.err : io.out;
  say(summary(result, toStdout ? io.stderrIsTerminal : io.stdoutIsTerminal));
  write(values.json, () => json, io);
  write(values.csv, () => csv(result), io);
  write(values.html, () => html(result), io);
}

function write(path: string, text: () => string, io: Io): void {
  if (path === "") return;
  if (path === "-") {
    io.out(text());
    return;
  }
  try {
    writeFileSync(absolute(path, io.cwd), text());
    io.err(`  written: ${path}\n`);
  } catch (error) {
    throw new HeadraceError("load_invalid", `${path} cannot be written: ${messageOf(error)}.`, {
      exit: Exit.SYSTEM,
    });
  }
}
