import { Exit } from "../../base/errors.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";

const HELP = `Starts a service that was stopped, with the revisions and shares that it had. Returns when it serves.

Usage
  headrace start SERVICE [flags]
`;

/** `headrace start`: exit code 0 when it is serving, 1 when that could not be done. */
export async function start(argv: readonly string[], io: Io): Promise<number> {
  const shape = { options: targetOptions, help: HELP, words: [1, 1], instead: "headrace start api" } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const service = read.positionals[0]!;
  await new AdminClient(findPlace(read.values, io)).call(servicePath(service, "/start"), { method: "POST" });
  io.out(`${service} serves.\n`);
  return Exit.OK;
}
