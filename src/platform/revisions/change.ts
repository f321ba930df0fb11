/** From what a service is to what it is to be. Pure. */

import { Exit, HeadraceError } from "../../base/errors.ts";
import { revisionName, revisionNumber } from "../../config/service.ts";
import type { ShadowReport, TrafficWish } from "../../model/revision.ts";
import type { RevisionRecord } from "./record.ts";
import type { ServiceState } from "./store.ts";
import {
  all,
  changedTags,
  checkedShadow,
  checkedTargets,
  collectable,
  type Mirrored,
  needed,
  type Target,
  type Traffic,
} from "./traffic.ts";

/** The number of the newest revision, 0 without any. */
export function newestOf({ revisions }: ServiceState): number {
  return Math.max(0, ...revisions.keys());
}

/**
 * With one more revision, and the shares that hold with it: all of them are its own when they are not given.
 * @param back shares that may come back, beside those that a rollback would bring: their revisions are kept
 */
export function withRevision(
  state: ServiceState,
  record: RevisionRecord,
  targets: readonly Target[] = all(record.number),
  back: readonly Target[] = [],
): ServiceState {
  const revisions = new Map(state.revisions).set(record.number, record);
  return collected(withTargets({ ...state, revisions }, targets), back);
}

/** Without what leads to a revision besides the shares: tags and shadow. */
export function alone(state: ServiceState): ServiceState {
  return { ...state, traffic: { ...state.traffic, tags: [], shadow: null } };
}

/**
 * With other shares.
 * @param before what a rollback brings back: the shares until now, when it is not given
 */
export function withTargets(
  state: ServiceState,
  targets: readonly Target[],
  before: readonly Target[] = state.traffic.targets,
): ServiceState {
  return {
    ...state,
    traffic: { ...state.traffic, targets },
    before: before.length === 0 || Bun.deepEquals(targets, before) ? state.before : before,
  };
}

/**
 * As somebody wants it.
 * @throws HeadraceError traffic_invalid, tag_invalid, revision_unknown
 */
export function withWish(state: ServiceState, wish: TrafficWish): ServiceState {
  const known = new Set(state.revisions.keys());
  const shares = (wish.targets ?? []).map(({ revision, weight }) => ({
    revision: numberOf(revision),
    weight,
  }));
  const targets = shares.length === 0 ? state.traffic.targets : checkedTargets(shares, known);
  const set = (wish.tags ?? []).map(({ tag, revision }) => ({ tag, revision: numberOf(revision) }));
  const tags = changedTags(state.traffic.tags, { set, remove: wish.untag ?? [] }, known);
  const changed = withTargets(state, targets);
  const { shadow: mirrored } = wish;
  const shadow = mirrored === undefined ? state.traffic.shadow : mirrored && wantedShadow(mirrored, known);
  return { ...changed, traffic: { targets, tags, shadow } };
}

function wantedShadow({ revision, percent }: ShadowReport, known: ReadonlySet<number>): Mirrored | null {
  return checkedShadow({ revision: numberOf(revision), percent }, known);
}

/**
 * With the shares before the last change. A second time brings back what the first one took away.
 * @throws HeadraceError nothing_before, and revision_unknown when one of them is not kept any more
 */
export function rolledBack(state: ServiceState): ServiceState {
  const { before } = state;
  if (before !== null) return withTargets(state, checkedTargets(before, new Set(state.revisions.keys())));
  const message = "There is nothing to go back to: the traffic has not changed yet.";
  throw new HeadraceError("nothing_before", message, { exit: Exit.USAGE });
}

/** Without the revisions that are too old to be kept. Those that a rollback would bring back are kept. */
function collected(state: ServiceState, back: readonly Target[]): ServiceState {
  const { traffic, before, revisions } = state;
  const wanted = needed({ ...traffic, targets: [...traffic.targets, ...(before ?? []), ...back] });
  const kept = new Map(revisions);
  for (const number of collectable(revisions.keys(), wanted)) kept.delete(number);
  return { ...state, revisions: kept };
}

/** Whether requests go elsewhere. */
export function sameTraffic(a: Traffic, b: Traffic): boolean {
  return Bun.deepEquals(a, b);
}

/** @throws HeadraceError revision_unknown */
function numberOf(name: string): number {
  const number = revisionNumber(name);
  if (number !== null) return number;
  const message = `${JSON.stringify(name)} is no revision.`;
  const hint = `Write one such as ${revisionName(7)}.`;
  throw new HeadraceError("revision_unknown", message, { exit: Exit.USAGE, hint });
}
