/** Talks to the admin API of a Headrace that runs, here or elsewhere. */

import { readFileSync } from "node:fs";
import { Exit, HeadraceError, messageOf, systemCode } from "../base/errors.ts";
import { type Option, text } from "../config/option.ts";
import type { Environment, ValuesOf } from "../config/parse.ts";
import { listRunStates, type RunState, runDirPath } from "../config/rundir.ts";
import type { Io } from "./io.ts";

/** The flags of all commands that talk to what runs. */
export const targetOptions = {
  name: text({
    flag: "name",
    group: "Target",
    placeholder: "NAME",
    doc: "Which application, when several run on this machine.",
  }),
  admin: text({
    flag: "admin",
    group: "Target",
    placeholder: "URL",
    doc: "The admin API of a Headrace elsewhere, or of another user: http://HOST:PORT or unix:/PATH. $HEADRACE_ADMIN_URL says the same.",
  }),
  adminTokenFile: text({
    flag: "admin-token-file",
    group: "Target",
    placeholder: "PATH",
    doc: "A file with the token that it wants. $HEADRACE_ADMIN_TOKEN holds the token itself.",
  }),
} as const satisfies Readonly<Record<string, Option<string>>>;

type Target = ValuesOf<typeof targetOptions>;

/** Reads flags of these commands: `HEADRACE_ADMIN` is another one's, of what is started here. */
export function targetEnvironment(env: Environment): Environment {
  const { HEADRACE_ADMIN: _, HEADRACE_NAME: __, ...rest } = env;
  return rest;
}

/** Where an admin API is. */
export interface Place {
  /** Without a slash at the end; of a socket, what the Host header says. */
  readonly url: string;
  /** Empty unless it is a Unix socket. */
  readonly socket: string;
  readonly token: string;
  /** How messages name it. */
  readonly title: string;
  /** The note of a Headrace on this machine. */
  readonly state: RunState | null;
}

/**
 * The one that the flags mean.
 * @throws HeadraceError when there is none, or it is not clear which
 */
export function findPlace(target: Target, io: Io): Place {
  const given = givenPlace(target, io);
  if (given !== null) return given;
  const state = chosen(target.name, io);
  if (state.adminUrl === "") throw refused(`The admin port of ${state.service} is off.`);
  return { ...placeOf(state), token: readToken(target, io.env), state };
}

/** The one whose admin API the flags or the environment name; null when one that left its note here is meant. @throws HeadraceError */
export function givenPlace(target: Target, io: Io): Place | null {
  const { admin, name } = target;
  if (admin !== "" && name !== "")
    throw refused("--name and --admin both say which Headrace is meant: write one of them.");
  const given = admin === "" ? (io.env["HEADRACE_ADMIN_URL"] ?? "") : admin;
  if (given === "" || name !== "") return null;
  return { ...parsePlace(given), token: readToken(target, io.env), state: null };
}

const LOCAL = "http://localhost";

/** Of a Headrace on this machine. */
export function placeOf(state: RunState): Pick<Place, "url" | "socket" | "title"> {
  const socket = state.adminSocket ?? "";
  // What the Host header says means nothing on a socket, but it has to be one.
  return { url: socket === "" ? state.adminUrl : LOCAL, socket, title: state.service };
}

function parsePlace(given: string): Pick<Place, "url" | "socket" | "title"> {
  const socket = /^unix:(?:\/\/)?(\/.+)$/.exec(given)?.[1];
  if (socket !== undefined) return { url: LOCAL, socket, title: given };
  const url = given.includes("://") ? given : `http://${given}`;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw refused(`--admin ${given} is no address. Write http://HOST:PORT or unix:/PATH.`);
  return { url: new URL(url).origin, socket: "", title: given };
}

function readToken({ adminTokenFile }: Target, env: Environment): string {
  if (adminTokenFile === "") return env["HEADRACE_ADMIN_TOKEN"] ?? "";
  try {
    return readFileSync(adminTokenFile, "utf8").trim();
  } catch (error) {
    throw refused(
      `The token file ${adminTokenFile} cannot be read (${systemCode(error) || messageOf(error)}).`,
    );
  }
}

/** Those on this machine that are of this name, all without one; oldest first. @throws HeadraceError when there is none of the name */
export function named(name: string, io: Io): readonly RunState[] {
  const all = listRunStates(runDirPath(io.env, process.getuid?.() ?? 0));
  const fit = all.filter((state) => name === "" || state.service === name);
  if (fit.length === 0 && name !== "") throw missing(`No ${name} of this user runs here.`);
  return fit;
}

/** The one Headrace on this machine that is meant. @throws HeadraceError when there is none, or several */
export function chosen(name: string, io: Io): RunState {
  const fit = named(name, io);
  const [only, second] = fit;
  if (only === undefined) throw missing("No Headrace of this user runs here.");
  if (second === undefined) return only;
  const list = fit.map(({ service, pid, adminUrl }) => {
    return `${service} (pid ${pid}, ${adminUrl === "" ? "its admin port is off" : adminUrl})`;
  });
  // Where all have one name, it does not tell them apart.
  const byName = new Set(fit.map(({ service }) => service)).size > 1 ? "--name, or with --admin" : "--admin";
  throw refused(`Several run here: ${list.join(", ")}. Say which one with ${byName}.`);
}

function missing(message: string): HeadraceError {
  return new HeadraceError("target_missing", message, { exit: Exit.USAGE });
}

function refused(message: string): HeadraceError {
  return new HeadraceError("target_unclear", message, { exit: Exit.USAGE });
}

/** The `error` of an answer. */
interface ErrorSaid {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly detail?: string;
}

/** An answer of the API that is an error. */
export class AdminError extends HeadraceError {
  readonly status: number;

  constructor(status: number, said: ErrorSaid) {
    const { code, message, hint = "", detail = "" } = said;
    super(code, message, { exit: status === 422 || status >= 500 ? Exit.SYSTEM : Exit.USAGE, hint, detail });
    this.status = status;
  }
}

export interface CallOptions {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Asks an admin API. */
export class AdminClient {
  readonly #place: Place;

  constructor(place: Pick<Place, "url" | "socket" | "title"> & { readonly token?: string }) {
    this.#place = { token: "", state: null, ...place };
  }

  /** The JSON of the answer. @throws AdminError, HeadraceError admin_unreachable */
  async json<T>(path: string, options: CallOptions = {}): Promise<T> {
    return (await (await this.call(path, options)).json()) as T;
  }

  /** The answer, when it is none of an error. @throws AdminError, HeadraceError admin_unreachable */
  async call(path: string, options: CallOptions = {}): Promise<Response> {
    const { url, socket, token, title } = this.#place;
    const query = new URLSearchParams(
      Object.entries(options.query ?? {}).map(([key, value]): [string, string] => [key, String(value)]),
    ).toString();
    const headers = {
      ...options.headers,
      ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
      ...(options.body === undefined ? {} : { "content-type": "application/json" }),
    };
    let response: Response;
    try {
      response = await fetch(`${url}${path}${query === "" ? "" : `?${query}`}`, {
        method: options.method ?? "GET",
        headers,
        // An action takes as long as an app takes to start.
        timeout: false,
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...(socket === "" ? {} : { unix: socket }),
      } as RequestInit);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      const why = systemCode(error) || messageOf(error);
      throw new HeadraceError("admin_unreachable", `${title} cannot be reached (${why}).`, { cause: error });
    }
    if (!response.ok) throw await errorOf(response, title);
    return response;
  }
}

async function errorOf(response: Response, title: string): Promise<AdminError> {
  const { status } = response;
  try {
    const { error } = (await response.json()) as { error: ErrorSaid };
    return new AdminError(status, error);
  } catch {
    const message = `${title} answered with status ${status}, as no Headrace does.`;
    return new AdminError(status, { code: "admin_unreachable", message });
  }
}

/** `/v1/services/NAME`, with the name as a path takes it. */
export function servicePath(service: string, rest = ""): string {
  return `/v1/services/${encodeURIComponent(service)}${rest}`;
}
