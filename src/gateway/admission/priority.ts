/** The three classes of requests, and who is in which. Pure. */

import { findValue } from "../../protocol/fields.ts";
import { appPath, decodedPath } from "../path.ts";

/** Highest first. Their place in this list is their rank. */
export const PRIORITIES = ["critical", "default", "bulk"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** As the settings carry them. */
export interface PrioritySettings {
  /** A header that names the class, in lower case; empty: none is believed. */
  readonly header: string;
  /** Paths by whole segments; the longest that fits holds. */
  readonly routes: readonly { readonly path: string; readonly priority: Priority }[];
}

export const DEFAULT_RANK = PRIORITIES.indexOf("default");

/** The rank that a word names; -1 for a word that is no class. */
export function rankOf(word: string): number {
  return (PRIORITIES as readonly string[]).indexOf(word.trim().toLowerCase());
}

/** Tells the rank of a request. */
export class Ranks {
  readonly #header: string;
  readonly #routes: readonly { readonly path: string; readonly below: string; readonly rank: number }[];

  constructor({ header, routes }: PrioritySettings) {
    this.#header = header;
    this.#routes = routes
      .map(({ path: written, priority }) => {
        const path = decodedPath(written);
        const below = path.endsWith("/") ? path : `${path}/`;
        return { path, below, rank: PRIORITIES.indexOf(priority) };
      })
      .sort((a, b) => b.path.length - a.path.length);
  }

  /** Whether there is anything to look at: without, all are of one class. */
  get plain(): boolean {
    return this.#header === "" && this.#routes.length === 0;
  }

  /** The header is stronger than the path; a word that is no class counts for nothing. */
  of(target: Uint8Array, fields: Uint8Array): number {
    if (this.#header !== "") {
      const rank = rankOf(findValue(fields, this.#header) ?? "");
      if (rank !== -1) return rank;
    }
    if (this.#routes.length === 0) return DEFAULT_RANK;
    const path = appPath(target);
    for (const route of this.#routes) {
      if (path === route.path || path.startsWith(route.below)) return route.rank;
    }
    return DEFAULT_RANK;
  }
}
