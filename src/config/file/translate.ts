/** Sentences that were written for flags, told of keys. Pure. */

import { runOptions } from "../options.ts";
import { application } from "./keys.ts";
import type { Shape } from "./shape.ts";

let keys: ReadonlyMap<string, string> | undefined;

/** Flag, without its dashes, to the key that says the same: within a service, or of the whole file. */
function keysByFlag(): ReadonlyMap<string, string> {
  if (keys !== undefined) return keys;
  const found = new Map<string, string>();
  visit(application, "", found);
  keys = found;
  return found;
}

function visit(shape: Shape, path: string, found: Map<string, string>): void {
  if (shape.kind === "value" && shape.run !== null) found.set(runOptions[shape.run].flag, path);
  else if (shape.kind === "table") visit(shape.each, "", found);
  else if (shape.kind === "list") visit(shape.item, path, found);
  else if (shape.kind === "map") {
    for (const [name, key] of Object.entries(shape.keys))
      visit(key.shape, path === "" ? name : `${path}.${name}`, found);
  }
}

/** Puts the key in for each flag of a sentence: `Add --min-instances 0.` is `Add scale.min: 0.` */
export function keyOfFlag(sentence: string): string {
  return sentence.replace(
    /--(no-)?([a-z][a-z0-9-]*)( (?=[0-9A-Z]))?/g,
    (whole, no: string | undefined, flag: string, gap: string | undefined) => {
      const key = keysByFlag().get(flag);
      if (key === undefined) return whole;
      if (no !== undefined) return `${key}: false`;
      return gap === undefined ? key : `${key}: `;
    },
  );
}
