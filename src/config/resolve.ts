/** From the values that were read to the one frozen config that the program runs on. Pure: files come in as text. */

import { checkUrlPath } from "./checks.ts";
import type { RunValues, runOptions } from "./options.ts";
import type { Parsed } from "./parse.ts";
import type { Problem } from "./problem.ts";
import type { RunConfig } from "./run-config.ts";
import { scalingContradictions, scalingPart } from "./scaling.ts";
import { appPlace, dnsLabel, isFileApp, serviceName } from "./service.ts";

/** Where slots are measured: at the start, at most, and as a guess for what is derived from them. */
const FIRST_SLOTS = 20;
const MOST_SLOTS = 1_000;
const USUAL_SLOTS = 80;

export type ParsedRun = Parsed<typeof runOptions>;

/** What the machine and the terminal say. */
export interface Facts {
  /** Absolute. */
  readonly cwd: string;
  /** Cores that this process may use. */
  readonly cores: number;
  /** Several processes can listen on one port and the kernel spreads the connections (Linux). */
  readonly sharesPorts: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
}

/** The texts of the files that options name. */
export interface Files {
  /** Variables of all --env-file, later ones stronger. */
  readonly env: Readonly<Record<string, string>>;
  /** PEM; empty for none. */
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** The app's file is not in the working directory, and is in the folder in which modules are looked for. */
  readonly appInDir: boolean;
}

export type Resolved =
  | { readonly ok: true; readonly config: RunConfig }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Makes the config, or says what contradicts what. */
export function resolve(parsed: ParsedRun, app: string, files: Files, facts: Facts): Resolved {
  const problems = [...contradictions(parsed, app, facts)];
  if (problems.length > 0) return { ok: false, problems };
  const values = parsed.values;
  const config: RunConfig = {
    ...appPart(parsed, app, files, facts.cwd),
    ...addressPart(values, files, facts.cwd),
    ...instancePart(parsed, facts),
    ...limitPart(values),
    ...seeingPart(parsed, facts),
    reload: values.reload,
    reloadDirs: reloadDirs(values, app, files, facts.cwd),
    reloadInclude: values.reloadInclude,
  };
  return { ok: true, config: Object.freeze(config) };
}

/**
 * The app that was named: the argument; else, with a function's name, $FUNCTION_SOURCE or main.py, as functions-framework has it.
 * Null when there is none.
 */
export function namedApp(parsed: ParsedRun, functionSource: string | undefined): string | null {
  if (parsed.positionals.length > 0) return parsed.positionals[0]!;
  if (functionSource !== undefined && functionSource !== "") return functionSource;
  return parsed.values.target === "" ? null : "main.py";
}

/** Makes a path absolute and takes `.` and `..` out of it. */
export function absolute(path: string, cwd: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${cwd}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function appPart(parsed: ParsedRun, app: string, files: Files, cwd: string) {
  const values = parsed.values;
  // A function's name that the environment brings is for functions: an app that says what else it is does not have one.
  const isFunction = values.interface === "function" || values.interface === "auto";
  const target = isFunction && values.target !== "" && !hasAttribute(app) ? values.target : null;
  return {
    app,
    interface: target !== null && values.interface === "auto" ? ("function" as const) : values.interface,
    factory: values.factory,
    target,
    signatureType: isFunction && values.signatureType !== "auto" ? values.signatureType : null,
    python: values.python,
    appDir: absolute(values.appDir, cwd),
    cwd,
    appInDir: files.appInDir,
    env: Object.freeze({ ...files.env, ...Object.fromEntries(values.env.map(splitEntry)) }),
    rootPath: values.rootPath.replace(/\/+$/, ""),
    service: values.service === "" ? serviceName(app, cwd) : values.service,
  };
}

/** The folders to watch: those given, else the one of the app's file, else the one in which modules are looked for. */
function reloadDirs(values: RunValues, app: string, files: Files, cwd: string): readonly string[] {
  if (values.reloadDir.length > 0) return values.reloadDir.map((path) => absolute(path, cwd));
  const appDir = absolute(values.appDir, cwd);
  return [isFileApp(app) ? absolute(`${appPlace(app)}/..`, files.appInDir ? appDir : cwd) : appDir];
}

function hasAttribute(app: string): boolean {
  return /:[A-Za-z_][\w.]*$/.test(app);
}

function splitEntry(entry: string): [string, string] {
  const equals = entry.indexOf("=");
  return [entry.slice(0, equals), entry.slice(equals + 1)];
}

function addressPart(values: RunValues, files: Files, cwd: string) {
  return {
    host: values.host.replace(/^\[(.*)\]$/, "$1"),
    port: values.port,
    uds: values.uds === "" ? "" : absolute(values.uds, cwd),
    tlsCert: files.tlsCert,
    tlsKey: files.tlsKey,
    http2: values.http2,
    trustedProxies: values.trustedProxies,
  };
}

function instancePart(parsed: ParsedRun, facts: Facts) {
  const { values } = parsed;
  const { instances, most, scaling } = scalingPart(parsed);
  const alone = !facts.sharesPorts || values.uds !== "";
  const measured = values.concurrency === "auto";
  const concurrency = values.concurrency === "auto" ? FIRST_SLOTS : values.concurrency;
  const lineSlots = measured ? USUAL_SLOTS : concurrency;
  const lineDepth = values.lineDepth === "auto" ? 10 * lineSlots * most : values.lineDepth;
  return {
    instances,
    scaling,
    concurrency,
    concurrencyMost: measured ? MOST_SLOTS : null,
    gateways:
      values.gateways === "auto" ? (alone ? 1 : Math.min(64, Math.max(1, facts.cores))) : values.gateways,
    preload: values.preload,
    workerClass: values.workerClass,
    loop: values.loop,
    lifespan: values.lifespan,
    cpu: values.cpu,
    memory: values.memory,
    maxInstanceAgeMs: values.maxInstanceAge,
    maxRequests: values.maxRequests,
    maxRequestsJitter: values.maxRequestsJitter,
    maxInstanceMemory: values.maxInstanceMemory,
    startupTimeoutMs: values.startupTimeout,
    drainTimeoutMs: values.drainTimeout,
    timeoutMs: values.timeout,
    timeoutGraceMs: values.timeoutGrace,
    lineDepth,
    lineWaitMs: values.lineWait,
    healthPaths: values.healthPath,
    shed: values.shed,
    priorityHeader: values.priorityHeader.toLowerCase(),
    priorities: values.priority.map(priorityRow),
    // A file may say more, see file/load.ts.
    limits: [],
    affinity: null,
  };
}

/** `/export=bulk`, which was checked when it was read. */
function priorityRow(entry: string): RunConfig["priorities"][number] {
  const equals = entry.lastIndexOf("=");
  const path = entry.slice(0, equals).replace(/\/+$/, "") || "/";
  return { path, priority: entry.slice(equals + 1) as RunConfig["priorities"][number]["priority"] };
}

function limitPart(values: RunValues) {
  return {
    maxRequestLine: values.maxRequestLine,
    maxHeaderBytes: values.maxHeaderSize,
    maxHeaders: values.maxHeaders,
    maxBody: values.maxBody,
    headerTimeoutMs: values.headerTimeout,
    bodyTimeoutMs: values.bodyTimeout,
    sendTimeoutMs: values.sendTimeout,
    idleTimeoutMs: values.idleTimeout,
    wsMaxSize: values.wsMaxSize,
    wsPingIntervalMs: values.wsPingInterval,
    wsPingTimeoutMs: values.wsPingTimeout,
    wsDeflate: values.wsDeflate,
  };
}

function seeingPart(parsed: ParsedRun, facts: Facts) {
  const { values, origins } = parsed;
  const format = (terminal: boolean) => (terminal ? "text" : "json");
  return {
    serverTiming: values.serverTiming,
    accessLog: values.accessLog === "auto" ? format(facts.stdoutIsTerminal) : values.accessLog,
    logLevel: values.logLevel,
    logFormat: values.logFormat === "auto" ? format(facts.stderrIsTerminal) : values.logFormat,
    logKeep: values.logKeep,
    admin: values.admin,
    adminHost: values.adminHost.replace(/^\[(.*)\]$/, "$1"),
    adminPort: values.adminPort,
    adminPortGiven: origins.adminPort !== "",
    adminListen: values.adminListen,
    adminTokenFile: values.adminTokenFile === "" ? "" : absolute(values.adminTokenFile, facts.cwd),
  } as const;
}

/** Options that do not go together. */
function* contradictions(parsed: ParsedRun, app: string, facts: Facts): Generator<Problem> {
  const { values, origins } = parsed;
  yield* addressContradictions(parsed, facts);
  yield* scalingContradictions(parsed);
  if (values.workerClass === "gevent" && (values.interface === "asgi" || values.interface === "function")) {
    yield conflict(
      origins.workerClass,
      "gevent runs WSGI apps only.",
      `Leave ${origins.workerClass} or ${origins.interface} out.`,
    );
  }
  if (origins.target === "--target" && hasAttribute(app)) {
    const instead = "Name the function once: in APP or with --target.";
    yield conflict("--target", `The app ${JSON.stringify(app)} names its function already.`, instead);
  }
  if (origins.target === "--target" && (values.interface === "asgi" || values.interface === "wsgi")) {
    yield conflict(
      "--target",
      `An app of --interface ${values.interface} has no target.`,
      "Leave one of them out.",
    );
  }
  if (values.rootPath !== "" && checkUrlPath(values.rootPath) !== null) {
    yield invalid(origins.rootPath, values.rootPath, "Write a path that begins with /, such as /shop.");
  }
  if (values.service !== "" && dnsLabel(values.service) !== values.service) {
    const near = dnsLabel(values.service);
    const instead = `Write lower case letters, digits and dashes, at most 63${near === "" ? "" : `, such as ${near}`}.`;
    yield invalid(origins.service, values.service, instead);
  }
  if (origins.reloadDir !== "" && !values.reload) {
    yield conflict(origins.reloadDir, "It does nothing without --reload.", "Add --reload.");
  }
}

function* addressContradictions(parsed: ParsedRun, facts: Facts): Generator<Problem> {
  const { values, origins } = parsed;
  const addressFlag = [origins.host, origins.port].find((origin) => origin.startsWith("-"));
  if (origins.uds === "--uds" && addressFlag !== undefined) {
    yield conflict("--uds", `A Unix socket has no ${addressFlag}.`, `Leave --uds or ${addressFlag} out.`);
  }
  if ((values.tlsCert === "") !== (values.tlsKey === "")) {
    const [given, missing] =
      values.tlsCert === "" ? [origins.tlsKey, "--tls-key"] : [origins.tlsCert, "--tls-cert"];
    const other = missing === "--tls-key" ? "--tls-cert" : "--tls-key";
    yield conflict(given, `It needs ${other} as well.`, `Add ${other} PATH.`);
  }
  if (typeof values.gateways === "number" && values.gateways > 1) {
    const why =
      values.uds !== ""
        ? "Gateways cannot share a Unix socket."
        : "Processes cannot share a port on this system.";
    if (values.uds !== "" || !facts.sharesPorts)
      yield conflict(origins.gateways, why, "Leave it out, or write 1.");
  }
  const samePort = values.port !== 0 && values.port === values.adminPort && values.uds === "";
  if (values.admin && samePort && origins.adminPort !== "") {
    const instead = "Write another port, 0 for a free one, or --no-admin.";
    yield conflict(origins.adminPort, `Port ${values.port} is the app's own.`, instead);
  }
}

function conflict(subject: string, message: string, instead: string): Problem {
  return { code: "conflict", subject, message, instead };
}

function invalid(subject: string, value: string, instead: string): Problem {
  return { code: "invalid_value", subject, message: `${JSON.stringify(value)} cannot be used.`, instead };
}
