import { Exit, HeadraceError } from "../../base/errors.ts";
import { list, text, toggle } from "../../config/option.ts";
import { revisionNumber } from "../../config/service.ts";
import type { ShadowReport, TrafficReport, TrafficWish } from "../../model/revision.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";
import { table } from "../table.ts";

const HELP = `Shows where the requests of a service go, or sends them elsewhere.

Usage
  headrace traffic SERVICE
  headrace traffic SERVICE --to rev-7=10 --to rev-6=90
  headrace traffic SERVICE --tag blue=rev-7
  headrace traffic SERVICE --shadow rev-7=5%

  Revisions that have no instances are started first. headrace rollback SERVICE takes a change of the shares back.
`;

/** `rev-7=10`, a percent sign may follow. */
function readShare(entry: string): { readonly revision: string; readonly weight: number } | null {
  const [, revision, weight] = /^(rev-\d+)=(\d{1,3})%?$/.exec(entry) ?? [];
  if (revision === undefined || revisionNumber(revision) === null || Number(weight) > 100) return null;
  return { revision, weight: Number(weight) };
}

/** `blue=rev-7` */
function readTag(entry: string): { readonly tag: string; readonly revision: string } | null {
  const [, tag, revision] = /^([^=\s]+)=(rev-\d+)$/.exec(entry) ?? [];
  return tag === undefined || revisionNumber(revision!) === null ? null : { tag, revision: revision! };
}

/** Null: none. @throws HeadraceError when it cannot be read */
function mirroredBy(entry: string): ShadowReport | null {
  if (/^0%?$/.test(entry)) return null;
  const share = readShare(entry);
  if (share !== null) return { revision: share.revision, percent: share.weight };
  const message = `--shadow: ${JSON.stringify(entry)} cannot be used. Write a revision and its share, such as rev-7=5%, or 0.`;
  throw new HeadraceError("invalid_value", message, { exit: Exit.USAGE });
}

export const trafficOptions = {
  to: list({
    flag: "to",
    group: "Flags",
    placeholder: "REVISION=PERCENT",
    doc: "A revision and its share of the requests. All shares are given anew and add up to 100.",
    check: (entry) => (readShare(entry) === null ? "a revision and its share, such as rev-7=10" : null),
  }),
  tag: list({
    flag: "tag",
    group: "Flags",
    placeholder: "TAG=REVISION",
    doc: "Gives a revision a host of its own, TAG--- before any host of the service, whatever its share.",
    check: (entry) => (readTag(entry) === null ? "a tag and its revision, such as blue=rev-7" : null),
  }),
  untag: list({ flag: "untag", group: "Flags", placeholder: "TAG", doc: "Takes a tag away." }),
  shadow: text({
    flag: "shadow",
    group: "Flags",
    placeholder: "REVISION=PERCENT",
    doc: "Also sends this share of the requests (GET, HEAD and OPTIONS) to a revision whose answers nobody gets, and compares them: headrace_shadow_* of the metrics. 0 ends it.",
  }),
  json: toggle({ flag: "json", group: "Flags", fallback: false, doc: "Prints JSON, for programs." }),
  ...targetOptions,
} as const;

/** `headrace traffic`: exit code 0 when requests go by what is printed, 1 when they could not and nothing has changed. */
export async function traffic(argv: readonly string[], io: Io): Promise<number> {
  const shape = {
    options: trafficOptions,
    help: HELP,
    words: [1, 1],
    instead: "headrace traffic api",
  } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const { to, tag, untag, shadow, json } = read.values;
  const body: TrafficWish = {
    targets: to.map((entry) => readShare(entry)!),
    tags: tag.map((entry) => readTag(entry)!),
    untag,
    ...(shadow === "" ? {} : { shadow: mirroredBy(shadow) }),
  };
  const changes = to.length + tag.length + untag.length > 0 || shadow !== "";
  const admin = new AdminClient(findPlace(read.values, io));
  const path = servicePath(read.positionals[0]!, "/traffic");
  const report = await admin.json<TrafficReport>(path, changes ? { method: "PUT", body } : {});
  io.out(json ? `${JSON.stringify(report, null, 2)}\n` : trafficTable(report));
  return Exit.OK;
}

/** The shares as a table, and what a rollback would do. */
export function trafficTable({ service, targets, tags, shadow, before }: TrafficReport): string {
  const named = [...tags, ...(shadow === null ? [] : [shadow])].map(({ revision }) => revision);
  const without = new Set(named.filter((name) => !targets.some(({ revision }) => revision === name)));
  const rows = [...targets, ...[...without].map((revision) => ({ revision, weight: 0 }))];
  const tagsOf = (name: string) => tags.filter(({ revision }) => revision === name).map(({ tag }) => tag);
  const shown = table(
    [
      { title: "REVISION", cell: ({ revision }) => revision },
      { title: "SHARE", cell: ({ weight }) => `${weight}%`, right: true },
      { title: "TAGS", cell: ({ revision }) => tagsOf(revision).join(", ") },
    ],
    rows,
  );
  const mirrored =
    shadow === null ? "" : `${shadow.percent}% of the requests are mirrored to ${shadow.revision}\n`;
  const earlier = before?.map(({ revision, weight }) => `${revision} ${weight}%`).join(", ");
  const back = earlier === undefined ? "" : `headrace rollback ${service} brings back: ${earlier}\n`;
  return shown + mirrored + back;
}
