/** Which revisions of a service get requests: shares and tags, and the rules for them. Pure. */

import { Exit, HeadraceError } from "../../base/errors.ts";

/** A revision with its share of the requests that name no tag. */
export interface Target {
  /** Revisions are numbered from 1, for each service. */
  readonly revision: number;
  /** Whole percent. */
  readonly weight: number;
}

/** A name under which a revision can be reached whatever its share. */
export interface Tag {
  readonly tag: string;
  readonly revision: number;
}

/** A revision that a share of the requests is mirrored to; nobody gets its answers. */
export interface Mirrored {
  readonly revision: number;
  /** Whole percent, above 0. */
  readonly percent: number;
}

/** Where the requests of a service go. */
export interface Traffic {
  /** Each revision once, newest first; weights above 0 that add up to 100. */
  readonly targets: readonly Target[];
  /** Each tag once, in the order of the alphabet. */
  readonly tags: readonly Tag[];
  readonly shadow: Mirrored | null;
}

/** What weights add up to. */
export const WHOLE = 100;

/** Revisions of a service that are kept, besides those that have requests or a tag. */
export const KEPT = 20;

/** Of a DNS label, `TAG---` and the first letters of the service's own label must fit as well. */
const TAG = /^[a-z]([a-z0-9]|-(?!--)){0,38}[a-z0-9]$|^[a-z]$/;

/** Everything to one revision. */
export function all(revision: number): readonly Target[] {
  return [{ revision, weight: WHOLE }];
}

/** The revisions that have to run. */
export function needed({ targets, tags, shadow }: Traffic): ReadonlySet<number> {
  return new Set([...targets, ...tags, ...(shadow === null ? [] : [shadow])].map(({ revision }) => revision));
}

/** The share of a revision, 0 for none. */
export function weightOf(targets: readonly Target[], revision: number): number {
  return targets.find((target) => target.revision === revision)?.weight ?? 0;
}

/**
 * Checks what somebody wants the shares to be; those of 0 are left out.
 * @param known numbers of the revisions that there are
 * @throws HeadraceError traffic_invalid, revision_unknown
 */
export function checkedTargets(wanted: readonly Target[], known: ReadonlySet<number>): readonly Target[] {
  const seen = new Set<number>();
  for (const { revision, weight } of wanted) {
    if (!known.has(revision)) throw unknownRevision(revision, known);
    if (seen.has(revision)) throw invalid(`rev-${revision} is named twice.`, "Name each revision once.");
    seen.add(revision);
    if (!Number.isInteger(weight) || weight < 0 || weight > WHOLE) {
      throw invalid(`rev-${revision}=${weight} is no share.`, "Write whole percents from 0 to 100.");
    }
  }
  const sum = wanted.reduce((total, { weight }) => total + weight, 0);
  if (sum !== WHOLE) {
    throw invalid(`The shares add up to ${sum}%, not 100%.`, "Name every revision that is to get requests.");
  }
  return wanted.filter(({ weight }) => weight > 0).sort((a, b) => b.revision - a.revision);
}

/**
 * The tags after a change.
 * @throws HeadraceError tag_invalid, revision_unknown
 */
export function changedTags(
  tags: readonly Tag[],
  change: { readonly set: readonly Tag[]; readonly remove: readonly string[] },
  known: ReadonlySet<number>,
): readonly Tag[] {
  const next = new Map(tags.map(({ tag, revision }) => [tag, revision]));
  for (const tag of change.remove) {
    if (!next.delete(tag)) {
      const message = `There is no tag ${JSON.stringify(tag)}.`;
      throw new HeadraceError("tag_invalid", message, { exit: Exit.USAGE, hint: tagsHint(tags) });
    }
  }
  for (const { tag, revision } of change.set) {
    if (!TAG.test(tag)) {
      const message = `${JSON.stringify(tag)} cannot be a tag: it becomes a part of a host name.`;
      const hint = "Write lower case letters, digits and dashes, a letter first, at most 40.";
      throw new HeadraceError("tag_invalid", message, { exit: Exit.USAGE, hint });
    }
    if (!known.has(revision)) throw unknownRevision(revision, known);
    next.set(tag, revision);
  }
  return [...next].map(([tag, revision]) => ({ tag, revision })).sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

function tagsHint(tags: readonly Tag[]): string {
  return tags.length === 0 ? "There are none." : `There are ${tags.map(({ tag }) => tag).join(", ")}.`;
}

/**
 * The shadow after a change; null for 0%.
 * @throws HeadraceError traffic_invalid, revision_unknown
 */
export function checkedShadow({ revision, percent }: Mirrored, known: ReadonlySet<number>): Mirrored | null {
  if (!known.has(revision)) throw unknownRevision(revision, known);
  if (!Number.isInteger(percent) || percent < 0 || percent > WHOLE) {
    throw invalid(`rev-${revision}=${percent} is no share.`, "Write whole percents from 0 to 100.");
  }
  return percent === 0 ? null : { revision, percent };
}

/** The numbers of revisions to forget: all but the {@link KEPT} newest, and those that are still wanted. */
export function collectable(known: Iterable<number>, wanted: ReadonlySet<number>): readonly number[] {
  return [...known]
    .sort((a, b) => b - a)
    .slice(KEPT)
    .filter((revision) => !wanted.has(revision));
}

/** `rev-7 10%, rev-6 90%` */
export function trafficText(targets: readonly Target[]): string {
  return targets.map(({ revision, weight }) => `rev-${revision} ${weight}%`).join(", ");
}

/** @param known those that there are */
export function unknownRevision(revision: number, known: ReadonlySet<number>): HeadraceError {
  const names = [...known].sort((a, b) => b - a).map((number) => `rev-${number}`);
  const hint = `There ${names.length === 1 ? "is" : "are"} ${names.join(", ")}.`;
  return new HeadraceError("revision_unknown", `There is no rev-${revision}.`, { exit: Exit.USAGE, hint });
}

function invalid(message: string, hint: string): HeadraceError {
  return new HeadraceError("traffic_invalid", message, { exit: Exit.USAGE, hint });
}
