import { Exit } from "../../base/errors.ts";
import { toggle } from "../../config/option.ts";
import type { DeployReport } from "../../model/revision.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";

const HELP = `Makes a new revision of a service in what runs, of its code as it is now, and gives it the requests once it serves.

Usage
  headrace deploy SERVICE [flags]

  What loses its requests finishes those that it has. headrace rollback SERVICE takes the change back.
`;

export const deployOptions = {
  noTraffic: toggle({
    flag: "no-traffic",
    group: "Flags",
    fallback: false,
    doc: "The new revision shows that it starts, and gets no requests: give it some with headrace traffic, or a tag.",
  }),
  ...targetOptions,
} as const;

/** `headrace deploy`: exit code 0 when the new revision serves, 1 when it does not and what was there goes on. */
export async function deploy(argv: readonly string[], io: Io): Promise<number> {
  const shape = {
    options: deployOptions,
    help: HELP,
    words: [1, 1],
    instead: "headrace deploy api",
  } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const service = read.positionals[0]!;
  const { noTraffic } = read.values;
  const admin = new AdminClient(findPlace(read.values, io));
  const call = { method: "POST", query: { noTraffic } } as const;
  const { revision } = await admin.json<DeployReport>(servicePath(service, "/deploy"), call);
  const next = `headrace traffic ${service} --tag next=${revision}`;
  if (noTraffic) io.out(`${service} has ${revision}, which gets no requests yet. Look at it: ${next}\n`);
  else io.out(`${service} serves ${revision}.\n`);
  return Exit.OK;
}
