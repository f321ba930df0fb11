import { Exit } from "../../base/errors.ts";
import { duration, integer, text, toggle } from "../../config/option.ts";
import type { EventReport } from "../../model/event.ts";
import { lineFormat } from "../../platform/run-logs.ts";
import { findPlace, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import { follow } from "../follow.ts";
import type { Io } from "../io.ts";

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
  const { since, tail, instance, json, follow: goOn } = read.values;
  const [service] = read.positionals;
  const asText = lineFormat({ terminal: io.stdoutIsTerminal, env: io.env });
  const ofAll = service === undefined;
  await follow({
    path: "/v1/logs",
    query: {
      follow: goOn,
      ...(ofAll ? {} : { service }),
      ...(instance === "" ? {} : { instance }),
    },
    firstQuery: { tail, ...(since === 0 ? {} : { since: Math.floor(Date.now() - since) }) },
    follow: goOn,
    find: () => findPlace(read.values, io),
    seen: ({ data }) => {
      if (json) {
        io.out(`${data}\n`);
        return;
      }
      const line = JSON.parse(data) as EventReport;
      io.out(asText(ofAll ? withService(line) : line));
    },
    broken: (why) => io.err(`headrace: ${why}; waiting for it to come back\n`),
    signal: io.gone,
  });
  return Exit.OK;
}

/** Among the lines of others, those of an app say whose they are. */
function withService(line: EventReport): EventReport {
  const { "service.name": service, "service.instance.id": instance } = line.fields;
  if (typeof service !== "string" || typeof instance !== "string") return line;
  return { ...line, fields: { ...line.fields, "service.instance.id": `${service} ${instance}` } };
}
