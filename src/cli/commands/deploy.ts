import { Exit } from "../../base/errors.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";

const HELP = `Starts a new revision of a service in what runs, with its code as it is now, and retires the old one when the new one serves.

Usage
  headrace deploy SERVICE [flags]
`;

/** `headrace deploy`: exit code 0 when the new revision serves, 1 when it does not and the old one goes on. */
export async function deploy(argv: readonly string[], io: Io): Promise<number> {
  const shape = {
    options: targetOptions,
    help: HELP,
    words: [1, 1],
    instead: "headrace deploy api",
  } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const service = read.positionals[0]!;
  await new AdminClient(findPlace(read.values, io)).call(servicePath(service, "/deploy"), { method: "POST" });
  io.out(`${service} serves its new revision.\n`);
  return Exit.OK;
}
