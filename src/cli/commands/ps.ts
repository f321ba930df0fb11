import { Exit, messageOf } from "../../base/errors.ts";
import { showDuration, showSize } from "../../base/units.ts";
import { toggle } from "../../config/option.ts";
import type { ValuesOf } from "../../config/parse.ts";
import type { RunState } from "../../config/rundir.ts";
import type {
  GatewayReport,
  InstanceReport,
  LimitReport,
  RevisionShare,
  StatusReport,
} from "../../model/instance.ts";
import type { DecisionReport, ScalingReport } from "../../model/scaling.ts";
import { rolloutText } from "../../platform/rollout/text.ts";
import {
  AdminClient,
  givenPlace,
  named,
  type Place,
  placeOf,
  servicePath,
  targetOptions,
} from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";
import { type Column, table } from "../table.ts";
import { decisionsText } from "./ps-why.ts";

export const psOptions = {
  why: toggle({
    flag: "why",
    group: "Flags",
    fallback: false,
    doc: "Shows the autoscaler's last decisions: what was seen, what was done, and which rules spoke.",
  }),
  json: toggle({
    flag: "json",
    group: "Flags",
    fallback: false,
    doc: "Prints one JSON array, for programs.",
  }),
  ...targetOptions,
} as const;

const HELP = `Shows the Headraces of this user that run on this machine, with their instances and gateways.

Usage
  headrace ps [flags]
`;

/** A Headrace that does not answer for so long is shown as such. */
const ANSWER_MS = 3_000;

/** One running Headrace: what it said of itself, or why it said nothing. */
export type Answer =
  | {
      readonly state: RunState;
      readonly status: StatusReport;
      /** Only when they were asked for. */
      readonly decisions?: readonly DecisionReport[];
    }
  | { readonly state: RunState; readonly why: string };

/** `headrace ps`. */
export async function ps(argv: readonly string[], io: Io): Promise<number> {
  const shape = { options: psOptions, help: HELP, words: [0, 0], instead: "headrace ps" } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const { why, json } = read.values;
  const places = psPlaces(read.values, io);
  const answers = (await Promise.all(places.map((place) => ask(place, why)))).flat();
  io.out(json ? psJson(answers) : psText(answers));
  return answers.every((answer) => "status" in answer) ? Exit.OK : Exit.SYSTEM;
}

/** All that run here, or those of a name, unless one elsewhere is meant. */
function psPlaces(target: ValuesOf<typeof targetOptions>, io: Io): readonly Place[] {
  const given = givenPlace(target, io);
  if (given !== null) return [given];
  return named(target.name, io).map((state) => ({ ...placeOf(state), token: "", state }));
}

/** One answer for each service. */
async function ask(place: Place, why: boolean): Promise<readonly Answer[]> {
  const state = place.state ?? elsewhere(place);
  if (state.adminUrl === "") return [{ state, why: "its admin port is off (--no-admin)" }];
  try {
    const client = new AdminClient(place);
    const signal = AbortSignal.timeout(ANSWER_MS);
    const services = await client.json<readonly StatusReport[]>("/v1/services", { signal });
    return await Promise.all(
      services.map(async (status) => {
        if (!why) return { state, status };
        const path = servicePath(status.service, "/decisions");
        return { state, status, decisions: await client.json<readonly DecisionReport[]>(path, { signal }) };
      }),
    );
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError";
    return [{ state, why: late ? `it did not answer within ${showDuration(ANSWER_MS)}` : messageOf(error) }];
  }
}

/** What is known of one that left no note here. */
function elsewhere({ title }: Place): RunState {
  return { pid: 0, startTicks: 0, service: title, app: "", url: "", adminUrl: title, startedAt: 0 };
}

/** The answers for programs: the status reports, and for those that did not answer what is known of them. */
export function psJson(answers: readonly Answer[]): string {
  const rows = answers.map((answer) => {
    const { adminUrl } = answer.state;
    if ("status" in answer) {
      const { status, decisions } = answer;
      return { ...status, adminUrl, ...(decisions === undefined ? {} : { decisions }) };
    }
    const { pid, service, app, url } = answer.state;
    return { pid, service, app, url, adminUrl, error: answer.why };
  });
  return `${JSON.stringify(rows, null, 2)}\n`;
}

/** The answers for people. */
export function psText(answers: readonly Answer[]): string {
  if (answers.length === 0) return "No Headrace of this user runs here. Start one: headrace run main.py\n";
  return answers
    .map((answer, index) => {
      if (!("status" in answer)) return silent(answer);
      if (answer.status.stopped) return stopped(answer.status);
      // The gateways of an application are there for all its services: they stand below the last that runs.
      const next = answers.slice(index + 1).find((other) => "status" in other && !other.status.stopped);
      return whole(answer, next?.state.pid !== answer.state.pid);
    })
    .join("\n");
}

function silent({ state, why }: { readonly state: RunState; readonly why: string }): string {
  const facts = [state.service, state.url, state.app, state.pid === 0 ? "" : `pid ${state.pid}`];
  return `${facts.filter((fact) => fact !== "").join("  ")}\n  No status: ${why.replace(/\.$/, "")}.\n`;
}

function stopped({ service, revision, app }: StatusReport): string {
  return `${service}  ${revision}  ${app}  STOPPED: headrace start ${service}\n`;
}

function whole({ status, decisions }: Extract<Answer, { status: StatusReport }>, gateways: boolean): string {
  if (decisions === undefined) return one(status, instanceColumns, gateways);
  return one(status, whyColumns, gateways) + decisionsText(status.scaling, decisions, Date.now());
}

function one(
  status: StatusReport,
  columns: readonly Column<InstanceReport>[],
  withGateways: boolean,
): string {
  const { line, preload } = status;
  const kind = status.interface === "" ? "" : ` (${status.interface})`;
  const facts = [status.service, sharing(status), status.url, `${status.app}${kind}`, `pid ${status.pid}`];
  if (!status.ready) facts.push("NOT READY");
  const head = `${facts.join("  ")}  up ${showDuration(status.uptimeMs)}\n`;
  const severalRevisions =
    status.revisions.length > 1 || status.revisions.some(({ tags }) => tags.length > 0);
  const revisions = severalRevisions ? table(revisionColumns, status.revisions) : "";
  const shown = severalRevisions ? [...columns.slice(0, 1), REVISION, ...columns.slice(1)] : columns;
  const mirrored = status.revisions
    .filter(({ shadow }) => shadow > 0)
    .map(({ revision, shadow }) => `${shadow}% of the requests are mirrored to ${revision}\n`)
    .join("");
  const { rollout } = status;
  const shares = status.revisions.map(({ revision, weight }) => `${revision} ${weight}%`).join(", ");
  const rolling = rollout === null ? "" : `rollout: ${rolloutText(status.service, rollout, shares)}\n`;
  const scaling = status.scaling === null ? "" : `${scalingText(status.scaling)}  `;
  const tail = `${scaling}line: ${line.waiting} of ${line.depth} waiting  preload: ${preload.level}${slotsText(status)}${limitsText(status.limits)}\n`;
  const gateways = withGateways ? table(gatewayColumns, status.gateways) : "";
  return `${head}${revisions}${mirrored}${rolling}${table(shown, status.instances)}${gateways}${tail}`;
}

/** The revisions that the requests go to. */
function sharing({ revision, revisions }: StatusReport): string {
  const served = revisions.filter(({ weight }) => weight > 0).map((share) => share.revision);
  return served.length > 1 ? served.join(", ") : revision;
}

const instanceColumns: readonly Column<InstanceReport>[] = [
  { title: "INSTANCE", cell: (row) => row.id },
  { title: "STATE", cell: (row) => row.state },
  { title: "PID", cell: (row) => String(row.pid), right: true },
  { title: "AGE", cell: (row) => showDuration(row.ageMs), right: true },
  { title: "IN FLIGHT", cell: (row) => `${row.inFlight}/${row.slots}`, right: true },
  { title: "SERVED", cell: (row) => String(row.served), right: true },
  { title: "MEMORY", cell: (row) => known(row.memoryBytes, showSize), right: true },
  { title: "CPU", cell: (row) => `${Math.round(row.cpuShare * 100)}%`, right: true },
  { title: "CPU TIME", cell: (row) => showDuration(row.cpuMs), right: true },
];

const REVISION: Column<InstanceReport> = { title: "REVISION", cell: (row) => row.revision };

/** Where there are several, or tags. */
const revisionColumns: readonly Column<RevisionShare>[] = [
  { title: "REVISION", cell: (row) => row.revision },
  { title: "SHARE", cell: (row) => `${row.weight}%`, right: true },
  { title: "INSTANCES", cell: (row) => String(row.instances), right: true },
  { title: "TAGS", cell: (row) => row.tags.join(", ") },
];

/** With --why: where the time of its start went, too. */
const whyColumns: readonly Column<InstanceReport>[] = [
  ...instanceColumns,
  { title: "START", cell: (row) => startText(row.phases) },
];

const gatewayColumns: readonly Column<GatewayReport>[] = [
  { title: "GATEWAY", cell: (row) => String(row.id) },
  { title: "STATE", cell: (row) => row.state },
  { title: "PID", cell: (row) => String(row.pid), right: true },
  { title: "AGE", cell: (row) => showDuration(row.ageMs), right: true },
  { title: "IN FLIGHT", cell: (row) => String(row.inFlight), right: true },
  { title: "WAITING", cell: (row) => String(row.waiting), right: true },
  { title: "CONNECTIONS", cell: (row) => String(row.connections), right: true },
  { title: "MEMORY", cell: (row) => known(row.memoryBytes, showSize), right: true },
  { title: "CPU TIME", cell: (row) => showDuration(row.cpuMs), right: true },
];

/** `fork 0.9ms, boot 2.1ms, lifespan 1.8ms` */
function startText(phases: InstanceReport["phases"]): string {
  const parts = Object.entries(phases).map(([phase, ms]) => `${phase} ${showDuration(ms)}`);
  return parts.length === 0 ? "-" : parts.join(", ");
}

function scalingText({ minInstances, maxInstances, desired, panicking }: ScalingReport): string {
  return `instances: ${desired} of ${minInstances} to ${maxInstances}${panicking ? ", panic" : ""}`;
}

/** Why an instance has the slots that it has, where they are measured. */
function slotsText({ concurrency, measured }: StatusReport): string {
  if (measured === null) return "";
  return `  slots: ${concurrency} (auto${measured === "" ? "" : `: ${measured}`})`;
}

/** What an instance may use, and what holds it to that. */
function limitsText(limits: readonly LimitReport[]): string {
  return limits
    .map(({ resource, limit, by }) => {
      const amount = resource === "cpu" ? `${limit} cpu` : `${showSize(limit)} memory`;
      return `  limit: ${amount} (${by === "nothing" ? "not held" : by})`;
    })
    .join("");
}

function known(value: number, show: (value: number) => string): string {
  return value === 0 ? "-" : show(value);
}
