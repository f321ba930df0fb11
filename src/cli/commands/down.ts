import { Exit, HeadraceError, systemCode } from "../../base/errors.ts";
import { type RunState, startTicks } from "../../config/rundir.ts";
import type { StatusReport } from "../../model/instance.ts";
import { AdminClient, chosen, givenPlace, type Place, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";

const HELP = `Stops what runs, as SIGTERM does: requests in flight finish first. Returns when it is down.

Usage
  headrace down [flags]
`;

/** Neither a process that is not our child nor one elsewhere has an event for its end. */
const LOOK_MS = 50;

/** `headrace down`: exit code 0 when it is down. */
export async function down(argv: readonly string[], io: Io): Promise<number> {
  const shape = { options: targetOptions, help: HELP, words: [0, 0], instead: "headrace down" } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const given = givenPlace(read.values, io);
  const title = given === null ? await downHere(chosen(read.values.name, io)) : await downThere(given);
  io.out(`${title} is down.\n`);
  return Exit.OK;
}

/** By its process, so that its admin port may be off. */
async function downHere({ pid, startTicks: began, service }: RunState): Promise<string> {
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if (systemCode(error) !== "ESRCH") throw error;
  }
  while (startTicks(pid) === began) await Bun.sleep(LOOK_MS);
  return service;
}

/** By its admin API, which goes last. */
async function downThere(place: Place): Promise<string> {
  const client = new AdminClient(place);
  const { pid } = await client.json<StatusReport>("/v1/status");
  await client.call("/v1/stop", { method: "POST" });
  while (await answers(client, pid)) await Bun.sleep(LOOK_MS);
  return place.title;
}

/** Whether it is still there: another one may have been started in its place by now. */
async function answers(client: AdminClient, pid: number): Promise<boolean> {
  try {
    return (await client.json<StatusReport>("/v1/status")).pid === pid;
  } catch (error) {
    if (!(error instanceof HeadraceError)) throw error;
    return error.code !== "admin_unreachable" && error.code !== "admin_starting";
  }
}
