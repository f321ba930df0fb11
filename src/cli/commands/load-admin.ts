/** Which Headrace is behind the target, so that it can be asked. */

import { listRunStates, runDirPath } from "../../config/rundir.ts";
import { isLoopback } from "../../load/machine.ts";
import type { WatchOptions } from "../../load/server-watch.ts";
import type { TargetRequest } from "../../load/settings.ts";
import type { RouteQuestion } from "../../model/routed.ts";
import type { Io } from "../io.ts";
import type { Complaints } from "./load-settings.ts";

export type Admin = Omit<WatchOptions, "startsAt">;

/** What a run asks for. */
export interface AdminTarget {
  /** Where its requests go; null when only a file of Python knows. */
  readonly url: string | null;
  /** Null when it is not known before. */
  readonly requests: readonly TargetRequest[] | null;
}

/** The admin port that `--admin` names, or that of the Headrace of this user that serves the URL; null for none. */
export function adminOf(option: string, target: AdminTarget, io: Io): Admin | null {
  if (option === "off") return null;
  const token = io.env["HEADRACE_ADMIN_TOKEN"] ?? null;
  const asked = target.requests?.map(question) ?? null;
  if (option !== "") return { admin: option.replace(/\/+$/, ""), token, asked };
  if (target.url === null) return null;
  const url = new URL(filled(target.url));
  if (!(isLoopback(url.hostname) || url.hostname === "localhost")) return null;
  const port = portOf(url);
  const state = listRunStates(runDirPath(io.env, process.getuid?.() ?? 0)).find(
    (each) => each.adminUrl !== "" && portOf(new URL(each.url)) === port,
  );
  if (state === undefined) return null;
  const own = asked?.filter((each) => portOf(new URL(each.url)) === port) ?? null;
  return { admin: state.adminUrl, token, asked: own };
}

export function checkAdmin(option: string, complaints: Complaints): void {
  if (option === "" || option === "off") return;
  if (/^https?:\/\/[^/?#]/i.test(option) && URL.canParse(option)) return;
  complaints.add(
    "--admin",
    `${JSON.stringify(option)} is no URL.`,
    "Write --admin http://127.0.0.1:8081, or off.",
  );
}

function question({ method, url, headers }: TargetRequest): RouteQuestion {
  return {
    method,
    url: filled(url).replace(/^ws/i, "http"),
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
  };
}

/** Something stands in for what every request fills in anew. */
function filled(url: string): string {
  return url.replaceAll(/\{\{|\}\}/g, "_");
}

function portOf(url: URL): string {
  if (url.port !== "") return url.port;
  return url.protocol === "https:" || url.protocol === "wss:" ? "443" : "80";
}
