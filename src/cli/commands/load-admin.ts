/** Which Headrace is behind the target, so that it can be asked. */

import { listRunStates, runDirPath } from "../../config/rundir.ts";
import { isLoopback } from "../../load/machine.ts";
import type { LoadSettings } from "../../load/settings.ts";
import type { Io } from "../io.ts";

/** The admin port that `--admin` names, or that of the Headrace of this user that serves the first URL; null for none. */
export function adminOf(
  option: string,
  settings: LoadSettings,
  io: Io,
): { readonly url: string; readonly token: string | null } | null {
  if (option === "off") return null;
  const token = io.env["HEADRACE_ADMIN_TOKEN"] ?? null;
  if (option !== "") return { url: option.replace(/\/+$/, ""), token };
  const url = new URL(settings.requests[0]!.url.replaceAll(/\{\{|\}\}/g, "_"));
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
