/** Help texts, made from the rows of the options. Pure. */

import { type Option, ownVariable } from "../config/option.ts";
import { groups, runOptions } from "../config/options.ts";
import type { OptionTable } from "../config/parse.ts";
import { VERSION } from "../model/version.ts";

/** What `headrace` alone says. */
export function overview(): string {
  return `Headrace ${VERSION}: serves any Python app through a gateway, in front of a pool of instances.

Usage
  headrace run APP [flags]    Serve an app: main.py, main.py:app or shop.wsgi:application
  headrace init               Look at a project and write a headrace.yaml for it
  headrace up                 Serve all services of headrace.yaml
  headrace deploy SERVICE     Make a new revision of a service, without losing a request
  headrace traffic SERVICE    Show how requests are shared among its revisions, or change it
  headrace revisions SERVICE  List the revisions of a service
  headrace rollback SERVICE   Take the last change of the shares back
  headrace down               Stop what runs, requests in flight first
  headrace check              Say what is wrong with headrace.yaml
  headrace ps                 Show the Headraces that run here, with their instances
  headrace logs [SERVICE]     Show the last log lines; -f goes on
  headrace stop SERVICE       Take one service down; start SERVICE brings it back
  headrace restart SERVICE    Replace all its instances, without losing a request
  headrace events             Show what happened of late; -f goes on
  headrace doctor APP         Say what makes an app slow to start or unsafe to fork
  headrace load URL           Send requests on a schedule, and measure what comes back
  headrace simulate TRACE     Replay a trace of arrivals through the autoscaler
  headrace version            Print the version

headrace COMMAND --help says more.
`;
}

/** The help of `headrace run`. @param columns width to wrap to */
export function runHelp(columns: number): string {
  const head = `Serves a Python app: ASGI, WSGI, or a plain function.

Usage
  headrace run APP [flags]

  APP is a file or a module, with or without the attribute:
      main.py   main.py:app   shop.wsgi:application
  Without the attribute, the obvious one is taken. For functions: $FUNCTION_SOURCE.
`;
  const sections = groups.map((group) => {
    const rows = Object.values<AnyOption>(runOptions).filter((option) => option.group === group);
    return `\n${group}\n${rows.map((option) => optionHelp(option, columns)).join("")}`;
  });
  return `${head}${sections.join("")}
Every flag has an environment variable: --line-depth is HEADRACE_LINE_DEPTH. Flags are stronger.
Durations: 500ms, 30s, 5m; a bare number is seconds. Sizes: 64KiB, 16Mi, 1GB; a bare number is bytes.

Signals: SIGTERM or Ctrl-C lets requests finish, a second one does not; SIGHUP reloads the app.
Exit codes: 0 stopped, 1 fault or forced stop, 2 wrong flags or surroundings, 3 the app did not start.
`;
}

/** The help of a command with few flags: its text, then its flags. */
export function commandHelp(head: string, options: OptionTable, columns: number): string {
  return `${head}\nFlags\n${Object.values(options)
    .map((option) => optionHelp(option, columns))
    .join("")}`;
}

// biome-ignore lint/suspicious/noExplicitAny: rows of any value type are described alike
type AnyOption = Option<any>;

/** Column in which the descriptions begin. */
const INDENT = 30;

/** One option in the help: flag, then what it does, wrapped. */
export function optionHelp(option: AnyOption, columns: number): string {
  const flag = `  ${flagForm(option)}`;
  const lines = wrap(described(option), Math.max(30, Math.min(columns, 110) - INDENT));
  const pad = " ".repeat(INDENT);
  if (flag.length + 2 > INDENT) return `${flag}\n${lines.map((line) => `${pad}${line}\n`).join("")}`;
  return lines.map((line, index) => `${(index === 0 ? flag : "").padEnd(INDENT)}${line}\n`).join("");
}

/** `-p, --port N`, `--[no-]http2`. */
export function flagForm(option: AnyOption): string {
  const short = option.short === "" ? "" : `-${option.short}, `;
  if (option.kind === "toggle") return `${short}--${option.fallback ? "[no-]" : ""}${option.flag}`;
  return `${short}--${option.flag} ${option.placeholder}`;
}

function described(option: AnyOption): string {
  const notes: string[] = [];
  const isDefault = option.kind === "toggle" ? option.fallback : option.fallbackText !== "";
  if (isDefault) notes.push(`default ${option.fallbackText}`);
  if (option.env.length > 0) notes.push(option.env.map((name: string) => `$${name}`).join(", "));
  return notes.length === 0 ? option.doc : `${option.doc} [${notes.join("; ")}]`;
}

/** All environment variables of an option, strongest first. */
export function variables(option: AnyOption): readonly string[] {
  return [ownVariable(option.flag), ...option.env];
}

/** A text in lines of at most `width` characters, or of one word. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}
