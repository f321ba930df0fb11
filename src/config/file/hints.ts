/** What somebody meant who wrote a key that is not there. Pure. */

import { nearestKey, nearestWord, nearestWords } from "../nearest.ts";
import { oneOf } from "../option.ts";
import type { MapShape, Shape } from "./shape.ts";

/** As many names are read; more are skipped. */
const MOST_NAMES = 5;

/**
 * What to write instead, as a sentence.
 * @param path of the map in which the key stands
 * @param root shape of the whole file
 */
export function insteadOf(key: string, path: string, shape: MapShape, root: Shape): string {
  const elsewhere = nearestKey(key);
  if (elsewhere !== null && elsewhere.sentence !== "") return elsewhere.sentence;
  const names = Object.keys(shape.keys);
  const near = elsewhere === null ? nearestWord(key, names) : null;
  if (near !== null) return `Write ${near}.`;
  const wanted = elsewhere?.key ?? key;
  const places = [...placesOf(root, "")].filter((place) => place === wanted || place.endsWith(`.${wanted}`));
  const here = places.map((place) => relative(place, path));
  // What is in a group of this very map is meant before what is further away.
  const within = here.filter(({ inside }) => inside);
  const shown = (within.length > 0 ? within : here).map(({ name }) => name);
  if (shown.length > 0) return `Write ${oneOf(shown.slice(0, MOST_NAMES))}.`;
  if (names.length <= MOST_NAMES) return `There are: ${names.join(", ")}.`;
  return `Nearest are ${nearestWords(key, names, MOST_NAMES).join(", ")}; docs/config.md has all.`;
}

/** Paths of all keys, names of tables as placeholders: `services.NAME.scale.min`. */
function* placesOf(shape: Shape, path: string): Generator<string> {
  if (shape.kind === "list") yield* placesOf(shape.item, path);
  else if (shape.kind === "table") yield* placesOf(shape.each, `${path}.${shape.placeholder}`);
  else if (shape.kind === "map") {
    for (const [name, key] of Object.entries(shape.keys)) {
      const place = path === "" ? name : `${path}.${name}`;
      yield place;
      yield* placesOf(key.shape, place);
    }
  }
}

/** A place as somebody at `path` calls it: without what both have in common, if it is below; with the service's own name. */
function relative(place: string, path: string): { readonly name: string; readonly inside: boolean } {
  const own = /^services\.[^.]+/.exec(path)?.[0];
  const full = own === undefined ? place : place.replace(/^services\.NAME/, () => own);
  const prefix = path === "" ? "" : `${path.replace(/\[\d+\]$/, "")}.`;
  const inside = full.startsWith(prefix) && (path !== "" || !place.includes(".NAME."));
  return { name: inside ? full.slice(prefix.length) : full, inside };
}
