import { Exit } from "../../base/errors.ts";
import type { TrafficReport } from "../../model/revision.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";
import { trafficTable } from "./traffic.ts";

const HELP = `Gives the requests of a service back to the revisions that had them before the shares changed last.

Usage
  headrace rollback SERVICE [flags]

  A second time, it takes the first one back.
`;

/** `headrace rollback`: exit code 0 when requests go where they went before, 1 when they could not and nothing has changed. */
export async function rollback(argv: readonly string[], io: Io): Promise<number> {
  const shape = {
    options: targetOptions,
    help: HELP,
    words: [1, 1],
    instead: "headrace rollback api",
  } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const path = servicePath(read.positionals[0]!, "/rollback");
  const admin = new AdminClient(findPlace(read.values, io));
  io.out(trafficTable(await admin.json<TrafficReport>(path, { method: "POST" })));
  return Exit.OK;
}
