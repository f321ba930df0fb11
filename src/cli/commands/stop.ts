import { Exit } from "../../base/errors.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";

const HELP = `Takes a service down: its requests are answered with 503, those in flight finish. Returns when it is down.
It starts again with headrace start, with a deploy, and when Headrace is started again.

Usage
  headrace stop SERVICE [flags]
`;

/** `headrace stop`: exit code 0 when it is down, 1 when that could not be done. */
export async function stop(argv: readonly string[], io: Io): Promise<number> {
  const shape = { options: targetOptions, help: HELP, words: [1, 1], instead: "headrace stop api" } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const service = read.positionals[0]!;
  await new AdminClient(findPlace(read.values, io)).call(servicePath(service, "/stop"), { method: "POST" });
  io.out(`${service} is stopped: its requests are answered with 503.\n`);
  return Exit.OK;
}
