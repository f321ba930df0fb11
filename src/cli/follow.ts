/** Follows a stream of the admin API over breaks: a Headrace that is started again is found again. */

import { HeadraceError } from "../base/errors.ts";
import { readEvents, type ServerEvent } from "../base/event-source.ts";
import { AdminClient, AdminError, type CallOptions, type Place } from "./admin-client.ts";

export interface FollowOptions {
  readonly path: string;
  readonly query: NonNullable<CallOptions["query"]>;
  /** Added the first time: where to begin. */
  readonly firstQuery: NonNullable<CallOptions["query"]>;
  /** Goes on after a break; otherwise it ends with the stream. */
  readonly follow: boolean;
  /** Where it is now: after a break it may be elsewhere. @throws HeadraceError while there is none */
  readonly find: () => Place;
  readonly seen: (event: ServerEvent) => void;
  /** Said once for each break. */
  readonly broken: (why: string) => void;
  readonly signal: AbortSignal;
}

/** Between two tries to find it again: nothing tells when a Headrace starts. */
const AGAIN_MS = 500;

/** Resolves when the stream has ended, or the signal came. @throws HeadraceError when it cannot be had in the first place */
export async function follow(options: FollowOptions): Promise<void> {
  const { signal } = options;
  let last = "";
  let connected = false;
  let broken = false;
  while (!signal.aborted) {
    try {
      const headers = last === "" ? {} : { "last-event-id": last };
      const query = connected ? options.query : { ...options.query, ...options.firstQuery };
      const client = new AdminClient(options.find());
      const response = await client.call(options.path, { query, headers, signal });
      connected = true;
      broken = false;
      for await (const event of readEvents(response.body!)) {
        if (event.id !== "") last = event.id;
        options.seen(event);
      }
      if (!options.follow) return;
      if (!signal.aborted) options.broken("The stream has ended");
      broken = true;
    } catch (error) {
      if (signal.aborted) return;
      // What was refused is refused the next time as well.
      const final = error instanceof AdminError && error.status < 500;
      if (!options.follow || !connected || final) throw error;
      if (!broken)
        options.broken(
          error instanceof HeadraceError ? error.message.replace(/\.$/, "") : "The connection broke",
        );
      broken = true;
    }
    await pause(AGAIN_MS, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
