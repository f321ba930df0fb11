/** Routing of calls by name: from one service to another, past the routes for clients. */

import type { RequestHead } from "../client.ts";
import { type Destination, type Entrance, TAG_END } from "./entrance.ts";
import { wantedBy } from "./router.ts";

/** `thumbnails.internal` is the service thumbnails. The name is reserved for private use (ICANN, 2024): no public name ends so. */
const DOMAIN = ".internal";

/**
 * How the own address is called by who was told it. Anything else is a page in a browser on this machine that reaches for what is
 * not on the network (DNS rebinding).
 */
const OWN = new Set(["", "127.0.0.1", "localhost", "[::1]"]);

/**
 * The service that a request names by its host, `thumbnails.internal` or with a tag `blue---thumbnails.internal`, or the one whose port
 * it came to. Undefined: there is none.
 * @param own the service of the port; empty where the host has to say it
 */
export function findByName(
  entrance: Pick<Entrance, "service">,
  head: RequestHead,
  own: string,
): Destination | undefined {
  const { host } = wantedBy(head);
  if (!host.endsWith(DOMAIN)) return OWN.has(host) ? entrance.service(own) : undefined;
  const name = host.slice(0, -DOMAIN.length);
  const end = name.indexOf(TAG_END);
  if (end <= 0) return entrance.service(name);
  const found = entrance.service(name.slice(end + TAG_END.length));
  return found?.kind === "service" ? found.tags.get(name.slice(0, end)) : found;
}
