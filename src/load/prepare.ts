/** From what is asked to what each process does: addresses found and tried, work shared out. Sends no request. */

import { lookup } from "node:dns/promises";
import { HeadraceError, systemCode } from "../base/errors.ts";
import { isLoopback, readLimits } from "./machine.ts";
import type { Destination, GeneratorPlan, OriginPlan } from "./plan.ts";
import { allowance, type Preflight, preflight } from "./preflight.ts";
import type { RequestPlan } from "./request.ts";
import type { LoadSettings, Shape, TargetRequest } from "./settings.ts";

const REACH_MS = 5_000;

export interface Prepared {
  readonly plans: readonly GeneratorPlan[];
  /** Connections of all processes together. */
  readonly connections: number;
  /** Where connections go. */
  readonly addresses: readonly string[];
  readonly sources: readonly string[];
  /** What the machine allows, in a sentence. */
  readonly allowance: string;
}

/** Throws HeadraceError when nothing answers there, or the machine does not allow it. */
export async function prepare(settings: LoadSettings): Promise<Prepared> {
  const origins: { key: string; plan: OriginPlan }[] = [];
  const requests: RequestPlan[] = [];
  const webSocket = isWebSocket(settings);
  for (const request of settings.requests) {
    const url = new URL(withoutPlaceholders(request.url));
    // A WebSocket is opened to one URL, so it is no connection for another.
    const key = webSocket ? url.href : `${url.protocol}//${url.host}`;
    let index = origins.findIndex((origin) => origin.key === key);
    if (index === -1) index = origins.push({ key, plan: await originOf(url, settings) }) - 1;
    requests.push(requestPlan(request, url, index));
  }
  const addresses = [...new Set(origins.flatMap(({ plan }) => plan.destinations.map(({ host }) => host)))];
  const limits = readLimits();
  const fit = preflight(
    {
      ...wanted(settings.shape),
      processes: settings.processes,
      destinations: Math.min(...origins.map(({ plan }) => plan.destinations.length)),
      // The runtime's WebSockets cannot be told where to connect from.
      loopback: !webSocket && addresses.every((address) => isLoopback(address) && address.includes(".")),
    },
    limits,
  );
  if (!fit.ok) throw new HeadraceError("load_impossible", fit.message, { exit: 2, hint: fit.instead });
  const sourced = origins.map(({ plan }) => ({ ...plan, sources: fit.sources }));
  return {
    plans: share({ settings, fit, origins: sourced, requests }),
    connections: fit.connections,
    addresses,
    sources: fit.sources,
    allowance: allowance(
      fit,
      limits,
      origins.some(({ plan }) => plan.tls !== null),
    ),
  };
}

/** All of a run are, or none. */
function isWebSocket({ requests }: LoadSettings): boolean {
  return /^wss?:/i.test(requests[0]!.url);
}

function wanted(shape: Shape) {
  if (shape.model === "open") {
    const rate = Math.max(...shape.stages.map((stage) => stage.rate));
    return { connections: shape.maxConnections, connectionsMayShrink: shape.mayShrink, rate };
  }
  return { connections: shape.connections, connectionsMayShrink: false, rate: 0 };
}

/** Placeholders have braces, which the URL parser would escape; they are put back in the path. */
function withoutPlaceholders(url: string): string {
  return url.replaceAll("{{", "%7B%7B").replaceAll("}}", "%7D%7D");
}

function requestPlan(request: TargetRequest, url: URL, origin: number): RequestPlan {
  const path = `${url.pathname}${url.search}`.replaceAll("%7B%7B", "{{").replaceAll("%7D%7D", "}}");
  const given = new Set(request.headers.map(([name]) => name.toLowerCase()));
  const usual: [string, string][] = [];
  if (!given.has("host")) usual.push(["host", url.host]);
  if (!given.has("user-agent")) usual.push(["user-agent", "headrace-load"]);
  if (!given.has("accept")) usual.push(["accept", "*/*"]);
  if (!given.has("authorization") && url.username !== "") usual.push(["authorization", basic(url)]);
  return {
    name: `${request.method} ${path}`,
    method: request.method,
    path,
    headers: [...usual, ...request.headers],
    body: request.body?.toString("base64") ?? null,
    weight: request.weight,
    origin,
  };
}

/** What stands before the host, as curl sends it. */
function basic({ username, password }: URL): string {
  const pair = [username, password].map(decodeURIComponent).join(":");
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

/** Where a URL leads, now. Throws HeadraceError when nothing takes connections there. */
export async function destinationsOf(
  url: URL,
  instead: readonly Destination[] = [],
): Promise<readonly Destination[]> {
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return reachable(instead.length > 0 ? instead : await addressesOf(hostOf(url), port), url);
}

/** Without the brackets of IPv6. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

async function originOf(url: URL, settings: LoadSettings): Promise<OriginPlan> {
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  const { insecure, caFile } = settings;
  return {
    tls: secure ? { serverName: hostOf(url), insecure, caFile } : null,
    destinations: await destinationsOf(url, settings.connectTo),
    sources: [],
  };
}

async function addressesOf(host: string, port: number): Promise<readonly Destination[]> {
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => ({ host: address, port }));
  } catch (error) {
    const message = `The host ${host} is not known (${systemCode(error) || "lookup failed"}).`;
    throw new HeadraceError("load_unreachable", message, {
      exit: 2,
      hint: "Look at the URL, or name an address with --connect-to.",
    });
  }
}

/** Those that take a connection now. One that does not is left out: `localhost` often has an address on which nobody listens. */
async function reachable(destinations: readonly Destination[], url: URL): Promise<readonly Destination[]> {
  const tried = await Promise.all(destinations.map(async (to) => ({ to, failure: await tryToConnect(to) })));
  const good = tried.filter(({ failure }) => failure === null).map(({ to }) => to);
  if (good.length > 0) return good;
  const why = tried.map(({ to, failure }) => `${to.host} port ${to.port}: ${failure}`).join("; ");
  throw new HeadraceError("load_unreachable", `Nothing takes connections at ${url.origin} (${why}).`, {
    exit: 2,
    hint: "Start the service first, or look at the URL.",
  });
}

async function tryToConnect({ host, port }: Destination): Promise<string | null> {
  const opened = Promise.withResolvers<string | null>();
  const timer = setTimeout(() => opened.resolve("no answer"), REACH_MS);
  Bun.connect({
    hostname: host,
    port,
    socket: {
      open(socket) {
        opened.resolve(null);
        socket.end();
      },
      data() {},
      connectError: (_socket, error) => opened.resolve(systemCode(error) || "not reachable"),
    },
  }).catch((error: unknown) => opened.resolve(systemCode(error) || "not reachable"));
  const failure = await opened.promise;
  clearTimeout(timer);
  return failure;
}

interface Work {
  readonly settings: LoadSettings;
  readonly fit: Extract<Preflight, { ok: true }>;
  readonly origins: readonly OriginPlan[];
  readonly requests: readonly RequestPlan[];
}

/** The work of each process. */
function share(work: Work): readonly GeneratorPlan[] {
  return Array.from({ length: work.fit.processes }, (_, index) => partOf(work, index));
}

function partOf({ settings, fit, origins, requests }: Work, index: number): GeneratorPlan {
  const { shape } = settings;
  const of = fit.processes;
  const part = (whole: number) => Math.floor((whole + of - 1 - index) / of);
  const common = {
    part: { index, of },
    origins,
    requests,
    expect: settings.expect,
    webSocket: isWebSocket(settings),
    timeoutMs: settings.timeoutMs,
    warmupMs: settings.warmupMs,
    seed: settings.seed,
    keepAlive: settings.keepAlive,
  };
  switch (shape.model) {
    case "open":
      return { ...common, ...shape, maxConnections: Math.max(1, part(fit.connections)) };
    case "closed": {
      const requestLimit = shape.requestLimit === null ? null : part(shape.requestLimit);
      return { ...common, ...shape, connections: part(shape.connections), requestLimit };
    }
    case "hold":
      return { ...common, ...shape, connections: part(shape.connections), openPerS: shape.openPerS / of };
  }
}
