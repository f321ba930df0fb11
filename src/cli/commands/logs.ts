import { Exit, HeadraceError } from "../../base/errors.ts";
import { duration, integer, text, toggle } from "../../config/option.ts";
import type { ValuesOf } from "../../config/parse.ts";
import type { EventReport } from "../../model/event.ts";
import { lineFormat, readKept } from "../../platform/run-logs.ts";
import { findPlace, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import { follow } from "../follow.ts";
import type { Io } from "../io.ts";
import { lastKept } from "../kept-logs.ts";

export const logsOptions = {
  follow: toggle({
    flag: "follow",
    short: "f",
    group: "Flags",
    fallback: false,
    doc: "Goes on with the lines that come, also after Headrace was started again.",
  }),
  since: duration({
    flag: "since",
    group: "Flags",
    fallback: "0",
    doc: "Only lines of the last so much time, such as 10m. 0: whatever their time.",
  }),
  tail: integer({
    flag: "tail",
    group: "Flags",
    min: 0,
    max: 10_000,
    fallback: 200,
    doc: "Begins with so many of the last lines.",
  }),
  instance: text({
    flag: "instance",
    group: "Flags",
    placeholder: "ID",
    doc: "Only lines of this instance.",
  }),
  json: toggle({
    flag: "json",
    group: "Flags",
    fallback: false,
    doc: "Prints one JSON object a line, for programs.",
  }),
  ...targetOptions,
} as const;

const HELP = `Shows the last log lines of a service, or of all: what the app wrote, and what Headrace says of its instances.

Usage
  headrace logs [SERVICE] [flags]
`;

/** `headrace logs`. */
export async function logs(argv: readonly string[], io: Io): Promise<number> {
  const shape = { options: logsOptions, help: HELP, words: [0, 1], instead: "headrace logs api" } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const [service] = read.positionals;
  const show = printer(read.values.json, service, io);
  try {
    await fromRunning({ ...read.values, service }, show, io);
  } catch (error) {
    const nothingRuns = error instanceof HeadraceError && error.code === "target_missing";
    if (!nothingRuns || read.values.follow || !(await fromKept({ ...read.values, service }, show, io)))
      throw error;
  }
  return Exit.OK;
}

type Wanted = ValuesOf<typeof logsOptions> & { readonly service: string | undefined };

/** From the admin API of what runs. @throws HeadraceError target_missing when nothing does */
async function fromRunning(wanted: Wanted, show: (line: EventReport) => void, io: Io): Promise<void> {
  const { service, instance, tail, since, follow: goOn } = wanted;
  await follow({
    path: "/v1/logs",
    query: {
      follow: goOn,
      ...(service === undefined ? {} : { service }),
      ...(instance === "" ? {} : { instance }),
    },
    firstQuery: { tail, ...(since === 0 ? {} : { since: Math.floor(Date.now() - since) }) },
    follow: goOn,
    find: () => findPlace(wanted, io),
    seen: ({ data }) => show(JSON.parse(data) as EventReport),
    broken: (why) => io.err(`headrace: ${why}; waiting for it to come back\n`),
    signal: io.gone,
  });
}

/** From the files of the one that ran last: what it wrote before it went is worth most then. False when there are none. */
async function fromKept(wanted: Wanted, show: (line: EventReport) => void, io: Io): Promise<boolean> {
  const { name, service, instance, since, tail } = wanted;
  const kept = lastKept(io.env, { name, service });
  if (kept === null) return false;
  const when = new Date(kept.last).toLocaleString("sv");
  io.err(`headrace: Nothing runs. These are the last lines of ${kept.name}, until ${when}.\n`);
  const lines = await readKept(kept.folder, {
    ...{ service, tail },
    instance: instance === "" ? undefined : instance,
    since: since === 0 ? undefined : Date.now() - since,
  });
  for (const line of lines) show(line);
  return true;
}

/** Among the lines of others, those of an app say whose they are; among its own, none has to. */
function printer(json: boolean, service: string | undefined, io: Io): (line: EventReport) => void {
  if (json) return (line) => io.out(`${JSON.stringify(line)}\n`);
  const asText = lineFormat({ terminal: io.stdoutIsTerminal, env: io.env });
  return (line) => {
    const { "service.name": own, ...rest } = line.fields;
    const instance = rest["service.instance.id"];
    if (service !== undefined) io.out(asText({ ...line, fields: rest }));
    else if (typeof own !== "string" || typeof instance !== "string") io.out(asText(line));
    else io.out(asText({ ...line, fields: { ...line.fields, "service.instance.id": `${own} ${instance}` } }));
  };
}
