import { Exit } from "../../base/errors.ts";
import { integer, text, toggle } from "../../config/option.ts";
import type { EventReport } from "../../model/event.ts";
import { lineFormat } from "../../platform/run-logs.ts";
import { findPlace, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import { follow } from "../follow.ts";
import type { Io } from "../io.ts";

export const eventsOptions = {
  follow: toggle({
    flag: "follow",
    short: "f",
    group: "Flags",
    fallback: false,
    doc: "Goes on with what happens from now on, also after Headrace was started again.",
  }),
  service: text({
    flag: "service",
    group: "Flags",
    placeholder: "NAME",
    doc: "Only events of this service.",
  }),
  tail: integer({
    flag: "tail",
    group: "Flags",
    min: 0,
    max: 1_000_000,
    fallback: 1_000,
    doc: "Begins with so many of the events that are held, 1,000 at most.",
  }),
  json: toggle({
    flag: "json",
    group: "Flags",
    fallback: false,
    doc: "Prints one JSON object an event, for programs.",
  }),
  ...targetOptions,
} as const;

const HELP = `Shows what happened of late: instances that started, crashed or were replaced, the autoscaler's decisions, new revisions.

Usage
  headrace events [flags]
`;

/** `headrace events`. */
export async function events(argv: readonly string[], io: Io): Promise<number> {
  const shape = { options: eventsOptions, help: HELP, words: [0, 0], instead: "headrace events" } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const { service, tail, json, follow: goOn } = read.values;
  const asText = lineFormat({ terminal: io.stdoutIsTerminal, env: io.env });
  await follow({
    path: "/v1/events",
    query: { follow: goOn, ...(service === "" ? {} : { service }) },
    firstQuery: { last: tail },
    follow: goOn,
    find: () => findPlace(read.values, io),
    seen: ({ data }) => {
      if (json) io.out(`${data}\n`);
      else io.out(asText(shown(JSON.parse(data) as EventReport, service)));
    },
    broken: (why) => io.err(`headrace: ${why}; waiting for it to come back\n`),
    signal: io.gone,
  });
  return Exit.OK;
}

/** Where all are of one service, none has to say so. */
function shown(event: EventReport, service: string): EventReport {
  if (service === "") return event;
  const { "service.name": _, ...fields } = event.fields;
  return { ...event, fields };
}
