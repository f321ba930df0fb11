/** Procfiles: a name and a command on each line. Pure. */

import { nameOf } from "./project.ts";
import { readCommand, type ServerCommand, type Setting } from "./servers.ts";
import type { Sketch } from "./sketch.ts";
import { commandsOf } from "./words.ts";

/** A sketch with the command that it came from: the app may have to be looked for where the command says. */
export interface Source {
  readonly sketch: Sketch;
  readonly command: ServerCommand | null;
}

/** What a Procfile says. @param base folder and what is known there; its `from` is the path of the file */
export function readProcfile(
  text: string,
  base: Setting,
): { sources: readonly Source[]; left: readonly string[] } {
  const sources: Source[] = [];
  const left: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [, process, commands] = /^([\w-]+):\s*(.+)$/.exec(line.trim()) ?? [];
    if (process === undefined) continue;
    const from = `${base.from}:${index + 1}`;
    const { command, others } = serverOf(commands!, { ...base, from });
    if (command === null) {
      const why =
        process === "release" ? "run it before headrace up" : "it serves no HTTP; run it beside Headrace";
      left.push(`The process ${process} (${from}): ${why}.`);
      continue;
    }
    for (const other of others) command.draft.leave(other);
    const name = process === "web" ? "" : process;
    sources.push({ sketch: command.draft.sketch({ name, folder: command.folder, from }), command });
  }
  return { sources, left };
}

/** The command of a line that serves; what else is on it is to be done by others. */
export function serverOf(
  line: string,
  setting: Setting,
): { readonly command: ServerCommand | null; readonly others: readonly string[] } {
  const commands = commandsOf(line);
  const others: string[] = [];
  let found: ServerCommand | null = null;
  let folder = setting.folder;
  for (const command of commands) {
    if (command.words[0] === "cd" && command.words[1] !== undefined) {
      folder = command.words[1].startsWith("/") ? folder : `${folder}/${command.words[1]}`.replace(/^\//, "");
      continue;
    }
    const read: ServerCommand | null = found === null ? readCommand(command, { ...setting, folder }) : null;
    if (read !== null) found = read;
    else if (command.words.length > 0 && !/^(set|export|echo|true|:)$/.test(command.words[0]!))
      others.push(
        `${command.words.join(" ")} (${setting.from}) is not part of serving: run it before headrace up.`,
      );
  }
  return { command: found, others };
}

/** What an entrypoint script runs in the end. Null for the command that it is given (`exec "$@"`). */
export function readScript(
  text: string,
  path: string,
  setting: Setting,
): { readonly command: ServerCommand | null; readonly passes: boolean } {
  const joinedLines = text.replace(/\\\n/g, " ").split("\n");
  let passes = false;
  for (const [index, line] of joinedLines.entries()) {
    if (/\$@|\$\*/.test(line)) passes = true;
    const from = `${nameOf(path)}:${index + 1}`;
    const { command } = serverOf(line, { ...setting, from });
    if (command !== null) return { command, passes: false };
  }
  return { command: null, passes };
}
