/** A plan as the text of a headrace.yaml, with comments that say where each value comes from. Pure. */

import { stringify } from "yaml";
import type { Plan, ServicePlan } from "./plan.ts";
import type { Finding } from "./sketch.ts";

/** Comments stand behind what they are about up to this column, else above it. */
const WIDTH = 110;

interface Line {
  readonly text: string;
  readonly comment: string;
}

/** The text. */
export function writeFile(plan: Plan, name: string): string {
  const lines: Line[] = [
    { text: `name: ${name}`, comment: "" },
    blank,
    ...shared(plan),
    { text: "services:", comment: "" },
    ...plan.services.flatMap((service, index) => [
      ...(index === 0 ? [] : [blank]),
      ...serviceLines(service, plan.services),
    ]),
  ];
  const body = lines.map(written).join("");
  const left = plan.left.length === 0 ? "" : `\n${remarks("Not carried over", plan.left, "")}`;
  return `${HEAD}\n${body}${left}`;
}

const HEAD = `# What headrace init found in this project, and where. Say what is wrong with the file: headrace check; serve it: headrace up
`;

const blank: Line = { text: "", comment: "" };

function shared(plan: Plan): readonly Line[] {
  const order = ["listen", "limits", "logs"];
  const place = ({ key }: Finding) => order.indexOf(key.split(".")[0]!);
  const sorted = [...plan.shared].sort((a, b) => place(a) - place(b));
  if (sorted.length > 0) return [...nested(sorted, ""), blank];
  return [{ text: "# listen: { host: 127.0.0.1, port: 8080 }", comment: "" }, blank];
}

function serviceLines(plan: ServicePlan, all: readonly ServicePlan[]): readonly Line[] {
  const { app, from } = plan;
  const pad = "    ";
  const lines: Line[] = [
    { text: `  ${plan.name}:`, comment: "" },
    { text: `${pad}${app.function ? "function" : "app"}: ${scalar(app.app)}`, comment: from.join("; ") },
  ];
  const add = (text: string, comment: string) => lines.push({ text: `${pad}${text}`, comment });
  if (app.factory) add("factory: true", "a function makes the app");
  if (app.dir !== "") add(`dir: ${scalar(app.dir)}`, "its names are relative to this folder");
  if (plan.python !== "") add(`python: ${scalar(plan.python)}`, "the virtual environment");
  if (all.length > 1) lines.push(...routeLines(plan, all, pad));
  lines.push(...nested(plan.findings, pad));
  if (plan.variables.length > 0) {
    add("env:", "");
    for (const { name, value, secret, from: source } of plan.variables) {
      const why = secret
        ? `${source}: taken from the environment, so that its value does not stand here`
        : source;
      add(`  ${name}: ${secret ? stringify(`secret:env/${name}`).trim() : stringify(value).trim()}`, why);
    }
  }
  if (plan.left.length > 0)
    lines.push({ text: remarks("Not carried over", plan.left, pad).trimEnd(), comment: "" });
  return lines;
}

/** Which requests are for which service is nowhere said: a guess that can be changed. */
function routeLines(plan: ServicePlan, all: readonly ServicePlan[], pad: string): readonly Line[] {
  const root =
    all.find(({ name }) => /^(web|www|site|frontend|main|root)$/.test(name)) ??
    all.find(({ app }) => app.dir === "" && !app.function);
  if (plan === root)
    return [
      { text: `${pad}route: { path: / }`, comment: "a guess: all requests that are for no other service" },
    ];
  return [
    {
      text: `${pad}route: { path: /${plan.name}, strip: true }`,
      comment: "a guess: the app sees the path without it",
    },
  ];
}

/** `scale.min` and `scale.max` as a map. */
function nested(findings: readonly Finding[], pad: string): readonly Line[] {
  const lines: Line[] = [];
  const done = new Set<string>();
  for (const finding of findings) {
    const [group, inner] = finding.key.split(".");
    if (inner === undefined)
      lines.push({ text: `${pad}${finding.key}: ${scalar(finding.value)}`, comment: finding.from });
    else if (!done.has(group!)) {
      done.add(group!);
      lines.push({ text: `${pad}${group}:`, comment: "" });
      for (const one of findings.filter(({ key }) => key.startsWith(`${group}.`)))
        lines.push({
          text: `${pad}  ${one.key.slice(group!.length + 1)}: ${scalar(one.value)}`,
          comment: one.from,
        });
    }
  }
  return lines;
}

/** Numbers and words stand alone, what YAML would take for something else in quotes. */
function scalar(value: string): string {
  if (/^(\d+(\.\d+)?|true|false)$/.test(value)) return value;
  return stringify(value, { lineWidth: 0 }).trim();
}

function written({ text, comment }: Line): string {
  if (comment === "") return `${text}\n`;
  const behind = `${text}  # ${comment}`;
  if (behind.length <= WIDTH) return `${behind}\n`;
  const indent = /^ */.exec(text)![0];
  return `${wrapped(comment, `${indent}# `)}${text}\n`;
}

function remarks(title: string, sentences: readonly string[], pad: string): string {
  return `${pad}# ${title}:\n${sentences.map((one) => wrapped(one, `${pad}# - `, `${pad}#   `)).join("")}`;
}

function wrapped(text: string, first: string, rest = first): string {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length > WIDTH && line.trim() !== first.trim() && line !== rest) {
      lines.push(line.trimEnd());
      line = rest;
    }
    line += `${word} `;
  }
  return `${[...lines, line.trimEnd()].join("\n")}\n`;
}
