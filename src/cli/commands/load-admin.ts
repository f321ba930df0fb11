/** Which Headrace is behind the target, so that it can be asked. */

import { listRunStates, runDirPath } from "../../config/rundir.ts";
import { isLoopback } from "../../load/machine.ts";
import type { Io } from "../io.ts";

export interface Admin {
  readonly url: string;
  /** null where none is asked for. */
  readonly token: string | null;
}

/** The admin port that `--admin` names, or that of the Headrace of this user that serves the URL; null for none. */
export function adminOf(option: string, target: string | null, io: Io): Admin | null {
  if (option === "off") return null;
  const token = io.env["HEADRACE_ADMIN_TOKEN"] ?? null;
  if (option !== "") return { url: option.replace(/\/+$/, ""), token };
  if (target === null) return null;
  const url = new URL(target.replaceAll(/\{\{|\}\}/g, "_"));
  if (!(isLoopback(url.hostname) || url.hostname === "localhost")) return null;
  const port = portOf(url);
  const state = listRunStates(runDirPath(io.env, process.getuid?.() ?? 0)).find(
    (each) => each.adminUrl !== "" && portOf(new URL(each.url)) === port,
  );
  return state === undefined ? null : { url: state.adminUrl, token };
}

function portOf(url: URL): string {
  if (url.port !== "") return url.port;
  return url.protocol === "https:" || url.protocol === "wss:" ? "443" : "80";
}
