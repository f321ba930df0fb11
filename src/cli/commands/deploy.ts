import { Exit } from "../../base/errors.ts";
import { duration, toggle } from "../../config/option.ts";
import type { DeployReport, RolloutReport, TrafficReport } from "../../model/revision.ts";
import { rolloutText } from "../../platform/rollout/text.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";

const HELP = `Makes a new revision of a service in what runs, of its code as it is now, and gives it the requests once it serves.

Usage
  headrace deploy SERVICE [flags]

  What loses its requests finishes those that it has. headrace rollback SERVICE takes the change back.
  With --over or --guard it returns when the rollout has come to its end; the rollout goes on without it, too.
`;

export const deployOptions = {
  noTraffic: toggle({
    flag: "no-traffic",
    group: "Flags",
    fallback: false,
    doc: "The new revision shows that it starts, and gets no requests: give it some with headrace traffic, or a tag.",
  }),
  over: duration({
    flag: "over",
    group: "Flags",
    fallback: "0",
    doc: "The share of the new revision rises over this time: 1%, then in steps of 5%. 0: at once.",
  }),
  guard: toggle({
    flag: "guard",
    group: "Flags",
    fallback: false,
    doc: "Compares errors and times of the new revision with the old one's meanwhile (for a minute after a shift at once), and goes back when it is worse.",
  }),
  settle: duration({
    flag: "settle",
    group: "Flags",
    fallback: "2s",
    doc: "Once it is ready, the new revision has to stay up so long before it gets requests; when it crashes, nothing has changed.",
  }),
  ...targetOptions,
} as const;

/** How often the rollout is asked about. Each answer tells all, also after one was missed. */
const ASK_MS = 500;

/**
 * `headrace deploy`: exit code 0 when the new revision has the requests that it is to have, 1 when it does not start or went back, and
 * what was there goes on.
 */
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
  const { noTraffic, over: overMs, guard, settle: settleMs } = read.values;
  const admin = new AdminClient(findPlace(read.values, io));
  const call = { method: "POST", query: { noTraffic, overMs, guard, settleMs } } as const;
  const { revision, rollout } = await admin.json<DeployReport>(servicePath(service, "/deploy"), call);
  if (rollout !== null) return followRollout(admin, { service, rollout }, io);
  const next = `headrace traffic ${service} --tag next=${revision}`;
  if (noTraffic) io.out(`${service} has ${revision}, which gets no requests yet. Look at it: ${next}\n`);
  else io.out(`${service} serves ${revision}.\n`);
  return Exit.OK;
}

/** Says each step, until the last one. */
async function followRollout(
  admin: AdminClient,
  about: { readonly service: string; readonly rollout: RolloutReport },
  io: Io,
): Promise<number> {
  const { service } = about;
  const { revision } = about.rollout;
  let told = "";
  for (let now: RolloutReport | null = about.rollout; ; await Bun.sleep(ASK_MS)) {
    const report = told === "" ? null : await admin.json<TrafficReport>(servicePath(service, "/traffic"));
    if (report !== null) now = report.rollout;
    if (now?.revision !== revision) {
      io.err(`headrace: The rollout of ${revision} ended: the traffic was changed meanwhile.\n`);
      return Exit.SYSTEM;
    }
    const shares = (report?.targets ?? []).map((target) => `${target.revision} ${target.weight}%`).join(", ");
    const text = rolloutText(service, now, shares);
    if (now.state !== "shifting" && now.state !== "watching") {
      if (now.state === "done") io.out(`${text}.\n`);
      else io.err(`headrace: ${text}.\n`);
      return now.state === "done" ? Exit.OK : Exit.SYSTEM;
    }
    if (text !== told) io.out(`${text}.\n`);
    told = text;
  }
}
