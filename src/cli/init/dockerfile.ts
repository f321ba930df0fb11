/** Dockerfiles: the last stage, with those that it is made from. Pure, but for the scripts that it names. */

import { readScript, type Source, serverOf } from "./procfile.ts";
import { folderOf, joined, nameOf, type Project } from "./project.ts";
import { NOT_THE_APPS, readCommand, type ServerCommand, type Setting } from "./servers.ts";
import { Draft } from "./sketch.ts";
import { commandsOf } from "./words.ts";

interface Instruction {
  readonly word: string;
  readonly rest: string;
  readonly line: number;
}

interface Stage {
  readonly base: string;
  readonly alias: string;
  readonly instructions: readonly Instruction[];
}

/** What an image starts. */
interface Image {
  readonly variables: Readonly<Record<string, { readonly value: string; readonly line: number }>>;
  readonly entrypoint: Instruction | undefined;
  readonly cmd: Instruction | undefined;
  readonly workdir: string;
  readonly copies: readonly { readonly from: string; readonly to: string }[];
  readonly left: readonly string[];
}

/** What a Dockerfile starts; null when it starts nothing, or nothing that serves. */
export function readDockerfile(path: string, project: Project, base: Setting): Source | null {
  const image = imageOf(stages(project.text(path)), path);
  const variables = Object.fromEntries(
    Object.entries(image.variables).map(([name, { value }]) => [name, value] as const),
  );
  const folder = inProject(image, folderOf(path), project);
  const setting: Setting = { ...base, folder, variables: { ...base.variables, ...variables } };
  const found = started(image, path, project, setting);
  if (found === null) return null;
  const { command, from, others } = found;
  const draft = new Draft();
  for (const [name, { value, line }] of Object.entries(image.variables)) {
    if (NOT_THE_APPS.test(name)) continue;
    draft.variable(name, value, `${path}:${line}, ENV`);
  }
  draft.findings.push(...command.draft.findings);
  draft.variables.push(...command.draft.variables);
  draft.left.push(...command.draft.left, ...others, ...image.left);
  draft.target = command.draft.target;
  return { sketch: draft.sketch({ name: "", folder: command.folder, from }), command };
}

interface Started {
  readonly command: ServerCommand;
  readonly from: string;
  readonly others: readonly string[];
}

function started(image: Image, path: string, project: Project, setting: Setting): Started | null {
  const { entrypoint, cmd } = image;
  const at = (instruction: Instruction) => `${path}:${instruction.line}`;
  const words = [entrypoint, cmd].map((one) => (one === undefined ? null : execForm(one.rest)));
  const [entry, command] = words;
  // A script that ends with exec "$@" starts what CMD says, others say it themselves.
  const script = entry?.find((word) => /\.sh$/.test(word)) ?? "";
  if (entrypoint !== undefined && script !== "") {
    const own = project.files.find((file) => nameOf(file) === nameOf(script));
    if (own !== undefined) {
      const read = readScript(project.text(own), own, { ...setting, from: own });
      if (read.command !== null) return { command: read.command, from: at(entrypoint), others: [] };
      if (cmd !== undefined) {
        const found = one(cmd, command ?? null, { ...setting, from: at(cmd) });
        const other = `${own} (${at(entrypoint)}) runs before the server: what it does has to be done before headrace up.`;
        return found === null ? null : { ...found, from: at(cmd), others: [...found.others, other] };
      }
    }
  }
  if (entrypoint === undefined || (entry === null && cmd !== undefined && entrypoint.rest === "[]")) {
    const found = cmd === undefined ? null : one(cmd, command ?? null, { ...setting, from: at(cmd) });
    return found === null ? null : { ...found, from: at(cmd!) };
  }
  // The shell form of ENTRYPOINT takes no words of CMD.
  const whole = entry === null ? null : [...entry!, ...(command ?? [])];
  const found = one(entrypoint, whole, { ...setting, from: at(entrypoint) });
  return found === null ? null : { ...found, from: at(entrypoint) };
}

/** @param words of the exec form; null for the shell form */
function one(
  { rest }: Instruction,
  words: readonly string[] | null,
  setting: Setting,
): Omit<Started, "from"> | null {
  if (words === null) {
    const { command, others } = serverOf(rest, setting);
    return command === null ? null : { command, others };
  }
  const inner = /^(sh|bash)$/.test(nameOf(words[0] ?? "")) && words[2] !== undefined ? words[2] : null;
  if (inner !== null && commandsOf(inner).length > 1) {
    const { command, others } = serverOf(inner, setting);
    return command === null ? null : { command, others };
  }
  const command = readCommand({ env: {}, words }, setting);
  return command === null ? null : { command, others: [] };
}

/** The words of the exec form, or null for the shell form. */
function execForm(rest: string): string[] | null {
  if (!rest.startsWith("[")) return null;
  try {
    const words: unknown = JSON.parse(rest);
    return Array.isArray(words) && words.every((word) => typeof word === "string") ? words : null;
  } catch {
    // As Docker has it: what is no JSON is a line for the shell.
    return null;
  }
}

function stages(text: string): readonly Stage[] {
  const result: { base: string; alias: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructions(text)) {
    if (instruction.word === "FROM") {
      const [base = "", as = "", alias = ""] = instruction.rest.replace(/--\S+\s+/g, "").split(/\s+/);
      result.push({ base, alias: as.toLowerCase() === "as" ? alias : "", instructions: [] });
    } else result.at(-1)?.instructions.push(instruction);
  }
  return result;
}

function* instructions(text: string): Generator<Instruction> {
  const lines = text.split("\n");
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1;
    let whole = lines[index]!.trim();
    if (whole === "" || whole.startsWith("#")) continue;
    while (whole.endsWith("\\") && index + 1 < lines.length) {
      const next = lines[++index]!.trim();
      // Comments stand between the lines of an instruction, too.
      if (!next.startsWith("#")) whole = `${whole.slice(0, -1).trimEnd()} ${next}`;
    }
    const [, word = "", rest = ""] = /^(\w+)\s+([\s\S]*)$/.exec(whole) ?? [];
    yield { word: word.toUpperCase(), rest: rest.trim(), line };
  }
}

/** The last stage, on top of those in the same file that it is made from. */
function imageOf(all: readonly Stage[], path: string): Image {
  const chain: Stage[] = [];
  for (let stage = all.at(-1); stage !== undefined && !chain.includes(stage); ) {
    chain.unshift(stage);
    const { base } = stage;
    stage = all.find(({ alias }) => alias !== "" && alias === base);
  }
  const image = {
    variables: {} as Record<string, { value: string; line: number }>,
    entrypoint: undefined as Instruction | undefined,
    cmd: undefined as Instruction | undefined,
    workdir: "/",
    copies: [] as { from: string; to: string }[],
    left: [] as string[],
  };
  for (const instruction of chain.flatMap((stage) => stage.instructions)) {
    const { word, rest, line } = instruction;
    if (word === "ENV") {
      for (const [name, value] of environment(rest)) {
        const known = (_all: string, braced: string, plain: string) =>
          image.variables[braced ?? plain]?.value ?? "";
        image.variables[name] = { value: value.replace(/\$(?:\{(\w+)\}|(\w+))/g, known), line };
      }
    } else if (word === "CMD") image.cmd = instruction;
    else if (word === "ENTRYPOINT") {
      image.entrypoint = instruction;
      // As Docker has it: what was to be started before is forgotten.
      image.cmd = undefined;
    } else if (word === "WORKDIR") image.workdir = rest.startsWith("/") ? rest : `${image.workdir}/${rest}`;
    else if (word === "COPY" || word === "ADD") {
      const words = rest.split(/\s+/).filter((part) => !part.startsWith("--"));
      const to = words.at(-1) ?? "";
      if (/--from=/.test(rest)) continue;
      for (const from of words.slice(0, -1))
        image.copies.push({ from, to: to.startsWith("/") ? to : `${image.workdir}/${to}` });
    } else if (word === "HEALTHCHECK" && rest.toUpperCase() !== "NONE")
      image.left.push(
        `HEALTHCHECK (${path}:${line}): Headrace watches its instances itself; /readyz on the admin port says how it is.`,
      );
  }
  return image;
}

/** `A=1 B="2 3"`, or the old form `A some words`. */
function environment(rest: string): readonly (readonly [string, string])[] {
  if (!/^\w+=/.test(rest)) {
    const [, name = "", value = ""] = /^(\S+)\s+(.*)$/.exec(rest) ?? [];
    return [[name, value]];
  }
  const { env } = commandsOf(rest)[0] ?? { env: {} };
  return Object.entries(env);
}

/** The folder of the project that is the image's working directory, as far as COPY tells. */
function inProject({ workdir, copies }: Image, folder: string, project: Project): string {
  const inside = joined(workdir);
  for (const { from, to } of copies) {
    const target = joined(to);
    const isFolder =
      from === "." || project.files.some((file) => file.startsWith(`${joined(folder, from)}/`));
    if (!isFolder) continue;
    if (inside === target) return joined(folder, from);
    if (inside.startsWith(`${target}/`)) return joined(folder, from, inside.slice(target.length + 1));
  }
  return folder;
}
