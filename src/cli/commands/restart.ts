import { Exit } from "../../base/errors.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";

const HELP = `Replaces all instances of a service, one after the other; each new one is ready before the old one finishes what it has.
They run the code that the old ones run: headrace deploy takes the code as it is now. Values of secrets are read anew; where one has
changed, the new instances are all ready before the old ones finish.

Usage
  headrace restart SERVICE [flags]
`;

/** `headrace restart`: exit code 0 when all are replaced, 1 when a new one did not start and the rest goes on. */
export async function restart(argv: readonly string[], io: Io): Promise<number> {
  const shape = {
    options: targetOptions,
    help: HELP,
    words: [1, 1],
    instead: "headrace restart api",
  } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const service = read.positionals[0]!;
  await new AdminClient(findPlace(read.values, io)).call(servicePath(service, "/restart"), {
    method: "POST",
  });
  io.out(`The instances of ${service} are replaced.\n`);
  return Exit.OK;
}
