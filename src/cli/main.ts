/** The `headrace` command. */

import { Exit, HeadraceError, messageOf } from "../base/errors.ts";
import { nearestWord } from "../config/nearest.ts";
import { overview } from "./help.ts";
import { type Io, processIo } from "./io.ts";
import { tellError } from "./tell.ts";

type Command = (argv: readonly string[], io: Io) => number | Promise<number>;

/** Each command is loaded when it is asked for: `ps` does not wait for what `run` needs. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("./commands/run.ts")).run,
  up: async () => (await import("./commands/up.ts")).up,
  down: async () => (await import("./commands/down.ts")).down,
  deploy: async () => (await import("./commands/deploy.ts")).deploy,
  traffic: async () => (await import("./commands/traffic.ts")).traffic,
  revisions: async () => (await import("./commands/revisions.ts")).revisions,
  rollback: async () => (await import("./commands/rollback.ts")).rollback,
  init: async () => (await import("./commands/init.ts")).init,
  check: async () => (await import("./commands/check.ts")).check,
  ps: async () => (await import("./commands/ps.ts")).ps,
  logs: async () => (await import("./commands/logs.ts")).logs,
  stop: async () => (await import("./commands/stop.ts")).stop,
  start: async () => (await import("./commands/start.ts")).start,
  restart: async () => (await import("./commands/restart.ts")).restart,
  events: async () => (await import("./commands/events.ts")).events,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  load: async () => (await import("./commands/load.ts")).load,
  simulate: async () => (await import("./commands/simulate.ts")).simulate,
  version: async () => (await import("./commands/version.ts")).version,
  help: async () => help,
};

/** Runs the command that `argv` names; answers the exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [word, ...rest] = argv;
  if (word === undefined || word === "--help" || word === "-h") return help(rest, io);
  if (word === "--version" || word === "-V") return (await commands["version"]!())(rest, io);
  const load = Object.hasOwn(commands, word) ? commands[word] : undefined;
  if (load === undefined) {
    io.err(`headrace: ${unknownCommand(word)}\n`);
    return Exit.USAGE;
  }
  try {
    return await (await load())(rest, io);
  } catch (error) {
    tellError(io, error);
    return error instanceof HeadraceError ? error.exit : Exit.SYSTEM;
  }
}

async function help(argv: readonly string[], io: Io): Promise<number> {
  const topic = argv[0];
  if (topic !== undefined && topic !== "help" && Object.hasOwn(commands, topic)) {
    return (await commands[topic]!())(["--help"], io);
  }
  io.out(overview());
  return Exit.OK;
}

function unknownCommand(word: string): string {
  if (word.includes(":") || word.endsWith(".py")) {
    return `There is no command ${JSON.stringify(word)}. To serve an app, write: headrace run ${word}`;
  }
  if (word.startsWith("-")) return `Flags stand after a command, as in: headrace run main.py ${word}`;
  const near = nearestWord(word, Object.keys(commands));
  const instead = near === null ? "See headrace --help." : `Did you mean headrace ${near}?`;
  return `There is no command ${JSON.stringify(word)}. ${instead}`;
}

if (import.meta.main) {
  const argv = process.argv.slice(2);
  if (argv[0] === "__gateway") {
    const { default: gatewayProcess } = await import("../platform/gateway-process.ts");
    gatewayProcess();
  } else if (argv[0] === "__load") {
    const { default: generatorProcess } = await import("../load/generator.ts");
    generatorProcess();
  } else {
    // Nothing else may keep the process alive: when the command is done, so is the process.
    process.exit(
      await main(argv, processIo()).catch((error: unknown) => {
        process.stderr.write(`headrace: ${messageOf(error)}\n`);
        return Exit.SYSTEM;
      }),
    );
  }
}
