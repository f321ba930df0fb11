import { Exit } from "../../base/errors.ts";
import { parse } from "../../config/parse.ts";
import { commandHelp } from "../help.ts";
import type { Io } from "../io.ts";
import { chosen } from "../running.ts";
import { tellProblems } from "../tell.ts";
import { targetOptions } from "./up-options.ts";

const HELP = `Starts a new revision of a service in what runs, with its code as it is now, and retires the old one when the new one serves.

Usage
  headrace deploy SERVICE [flags]
`;

/** `headrace deploy`: exit code 0 when the new revision serves, 1 when it does not and the old one goes on. */
export async function deploy(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse(targetOptions, argv, io.env);
  const [service, ...rest] = parsed.positionals;
  if (parsed.help) {
    io.out(commandHelp(HELP, targetOptions, io.columns));
    return Exit.OK;
  }
  if (parsed.problems.length > 0 || service === undefined || rest.length > 0) {
    tellProblems(io, parsed.problems, []);
    io.err("headrace: Name one service: headrace deploy api\n");
    return Exit.USAGE;
  }
  const state = chosen(parsed.values.name, io);
  if (state === null) return Exit.USAGE;
  if (state.adminUrl === "") {
    io.err(`headrace: The admin port of ${state.service} is off.\n`);
    return Exit.USAGE;
  }
  const url = `${state.adminUrl}/v1/services/${encodeURIComponent(service)}/deploy`;
  const response = await fetch(url, { method: "POST" });
  if (response.ok) {
    io.out(`${service} serves its new revision.\n`);
    return Exit.OK;
  }
  const { error } = (await response.json()) as { error: { message: string; hint?: string } };
  io.err(`headrace: ${error.message}${error.hint === undefined ? "" : ` ${error.hint}`}\n`);
  return response.status === 404 ? Exit.USAGE : Exit.SYSTEM;
}
