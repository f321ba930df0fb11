/** From the flags of `headrace load` to what is to be done. Reads the files that they name; sends nothing. */

import { readFileSync } from "node:fs";
import { messageOf, systemCode } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import type { Origin } from "../../config/parse.ts";
import type { Problem } from "../../config/problem.ts";
import { absolute } from "../../config/resolve.ts";
import { constantRate, type Stage, withWarmup } from "../../load/arrivals.ts";
import type { Destination, LoadSettings, Shape, TargetRequest } from "../../load/settings.ts";
import { type Condition, readCondition } from "../../load/thresholds.ts";
import type { LoadValues } from "./load-options.ts";

export interface Asked {
  readonly values: LoadValues;
  readonly origins: { readonly [K in keyof LoadValues]: Origin };
  /** The URL or the file of Python; null with --urls. */
  readonly url: string | null;
  readonly cwd: string;
}

/** Collects what is wrong, so that all of it is told at once. */
export class Complaints {
  readonly problems: Problem[] = [];

  add(subject: string, message: string, instead: string): void {
    this.problems.push({ code: "invalid_value", subject, message, instead });
  }

  conflict(subject: string, message: string, instead: string): void {
    this.problems.push({ code: "conflict", subject, message, instead });
  }

  /** A file's bytes; empty when it cannot be read. */
  file(subject: string, path: string, cwd: string): Buffer {
    try {
      return readFileSync(absolute(path, cwd));
    } catch (error) {
      const why = systemCode(error) === "ENOENT" ? "does not exist" : `cannot be read (${messageOf(error)})`;
      const instead = "Name a file that can be read.";
      this.problems.push({ code: "file_unreadable", subject, message: `The file ${path} ${why}.`, instead });
      return Buffer.alloc(0);
    }
  }
}

/** What is asked; with complaints it is not to be used. */
export function settingsOf(asked: Asked, complaints: Complaints): LoadSettings {
  const { values, cwd } = asked;
  const warmupMs = Math.ceil(values.warmup / 1_000) * 1_000;
  const expectsPattern = /^\/(.*)\/$/s.exec(values.expectBody);
  if (expectsPattern !== null) checkPattern(expectsPattern[1]!, complaints);
  if (values.cacert !== "") complaints.file("--cacert", values.cacert, cwd);
  return {
    requests: requestsOf(asked, complaints),
    shape: shapeOf(asked, warmupMs, complaints),
    expect: {
      statuses: values.expectStatus.map(Number),
      length: values.expectLength < 0 ? null : values.expectLength,
      text: values.expectBody === "" || expectsPattern !== null ? null : values.expectBody,
      pattern: expectsPattern?.[1] ?? null,
    },
    timeoutMs: values.timeout,
    warmupMs,
    seed: values.seed,
    keepAlive: values.keepalive,
    processes: values.processes === 0 ? null : values.processes,
    insecure: values.insecure,
    caFile: values.cacert === "" ? null : absolute(values.cacert, cwd),
    connectTo: values.connectTo.map((entry) => destination(entry, complaints)),
  };
}

function checkPattern(pattern: string, complaints: Complaints): void {
  try {
    new RegExp(pattern);
  } catch (error) {
    complaints.add(
      "--expect-body",
      `It is no regular expression: ${messageOf(error)}.`,
      "Write it without slashes to look for a text.",
    );
  }
}

function destination(entry: string, complaints: Complaints): Destination {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(entry);
  const port = Number(parts?.[3]);
  if (parts === null || port < 1 || port > 65_535)
    complaints.add(
      "--connect-to",
      `${JSON.stringify(entry)} is not HOST:PORT.`,
      "Write --connect-to 127.0.0.2:8080.",
    );
  return { host: parts?.[1] ?? parts?.[2] ?? "", port };
}

/** How the load goes over time: open, closed or held, by the flags that are there. */
export function shapeOf({ values, origins }: Asked, warmupMs: number, complaints: Complaints): Shape {
  const { connections } = values;
  const hasRate = origins.rate !== "";
  const hasStages = values.stages.length > 0;
  if (hasRate && hasStages)
    complaints.conflict("--stages", "It cannot be used with --rate.", "Leave one of them out.");
  if (values.hold > 0) {
    if (connections === 0)
      complaints.conflict("--hold", "It needs to know how many.", "Write --connections 50000 --hold 10s.");
    if (hasStages)
      complaints.conflict(
        "--stages",
        "It cannot be used with --hold.",
        "Write --rate for requests over what is held.",
      );
    return {
      model: "hold",
      connections,
      holdMs: values.hold,
      rate: hasRate ? values.rate : 0,
      openPerS: values.openRate,
    };
  }
  if (connections > 0) {
    if (hasRate || hasStages)
      complaints.conflict(
        "--connections",
        "A closed loop has no rate: it asks when it was answered.",
        "Leave --connections out, or limit them with --max-connections.",
      );
    const requestLimit = values.requests === 0 ? null : values.requests;
    // With a number of requests the time is only a limit when it was asked for.
    const endless = requestLimit !== null && origins.duration === "";
    const durationMs = endless ? null : values.duration + warmupMs;
    return { model: "closed", connections, durationMs, requestLimit };
  }
  if (values.requests > 0)
    complaints.conflict(
      "--requests",
      "It ends a closed loop.",
      "Write --connections too, or --duration for an open loop.",
    );
  const stages = hasStages ? stagesOf(values.stages, complaints) : constantRate(values.rate, values.duration);
  if (hasStages && origins.duration !== "")
    complaints.conflict("--duration", "The stages say how long it goes.", "Leave --duration out.");
  return {
    model: "open",
    stages: withWarmup(stages, warmupMs),
    poisson: values.arrivals === "poisson",
    maxConnections: values.maxConnections,
  };
}

function stagesOf(entries: readonly string[], complaints: Complaints): readonly Stage[] {
  const stages: Stage[] = [];
  for (const entry of entries) {
    const [time = "", rateText = "", ...more] = entry.split(":");
    const atMs = parseDuration(time);
    const rate = /^\d+(\.\d+)?$/.test(rateText) ? Number(rateText) : Number.NaN;
    if (atMs === null || Number.isNaN(rate) || more.length > 0) {
      complaints.add(
        "--stages",
        `${JSON.stringify(entry)} is not TIME:RATE.`,
        "Write points of time and rate: --stages 0:0,30s:5000,60s:5000,70s:0.",
      );
      return constantRate(1, 1_000);
    }
    if (atMs < (stages.at(-1)?.atMs ?? 0)) {
      complaints.add(
        "--stages",
        `${time} lies before the point in front of it.`,
        "Times are counted from the start, and rise.",
      );
    }
    stages.push({ atMs, rate });
  }
  // A plan that begins later than at once begins from nothing.
  if (stages[0]!.atMs > 0) stages.unshift({ atMs: 0, rate: 0 });
  if (stages.at(-1)!.atMs === 0 || stages.every(({ rate }) => rate === 0))
    complaints.add(
      "--stages",
      "It has no time in which requests are sent.",
      "Write at least two points: --stages 0:100,30s:100.",
    );
  return stages;
}

function requestsOf({ values, url, cwd }: Asked, complaints: Complaints): readonly TargetRequest[] {
  const headers = values.header.map((entry) => headerOf(entry, complaints));
  const body = values.data === "" ? null : bodyOf("--data", values.data, { cwd, complaints });
  const usual = values.method || (body === null ? "GET" : "POST");
  if (values.urls === "") {
    const target = url ?? "";
    checkUrl("", target, complaints);
    return [{ method: checkMethod(usual, complaints), url: target, headers, body, weight: 1 }];
  }
  const lines = complaints.file("--urls", values.urls, cwd).toString("utf8").split(/\r?\n/);
  const requests = lines.flatMap((line, index) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return [];
    return [
      urlLine(trimmed, { subject: `${values.urls}:${index + 1}`, usual, headers, body, cwd, complaints }),
    ];
  });
  if (requests.length === 0 && complaints.problems.length === 0)
    complaints.add("--urls", "The file names no URL.", "Write one on each line.");
  return requests;
}

interface LineContext {
  readonly subject: string;
  readonly usual: string;
  readonly headers: TargetRequest["headers"];
  readonly body: Buffer | null;
  readonly cwd: string;
  readonly complaints: Complaints;
}

/** `[WEIGHT] [METHOD] URL [@FILE]` */
function urlLine(line: string, context: LineContext): TargetRequest {
  const { subject, complaints, cwd } = context;
  const parts = /^(?:(\d+(?:\.\d+)?)\s+)?(?:([A-Za-z]+)\s+)?(\S+?)(?:\s+(@\S+))?$/.exec(line);
  if (parts === null)
    complaints.add(
      subject,
      "This line is not [WEIGHT] [METHOD] URL [@FILE].",
      "Write, for example: 3 POST http://127.0.0.1:8080/items @item.json",
    );
  const [, weight, method, url = "", file] = parts ?? [];
  checkUrl(subject, url, complaints);
  const body = file === undefined ? context.body : bodyOf(subject, file, { cwd, complaints });
  const usual = file === undefined ? context.usual : "POST";
  if (Number(weight ?? 1) <= 0)
    complaints.add(
      subject,
      "A weight of 0 is never drawn.",
      "Write a weight above 0, or leave the line out.",
    );
  return {
    method: checkMethod(method ?? usual, complaints),
    url,
    headers: context.headers,
    body,
    weight: Number(weight ?? 1),
  };
}

function bodyOf(
  subject: string,
  data: string,
  where: { readonly cwd: string; readonly complaints: Complaints },
): Buffer {
  return data.startsWith("@") ? where.complaints.file(subject, data.slice(1), where.cwd) : Buffer.from(data);
}

function checkMethod(method: string, complaints: Complaints): string {
  if (!/^[A-Za-z][A-Za-z-]{0,19}$/.test(method))
    complaints.add("--method", `${JSON.stringify(method)} is no method.`, "Write GET, POST, PUT, …");
  return method.toUpperCase();
}

function headerOf(entry: string, complaints: Complaints): readonly [string, string] {
  const colon = entry.indexOf(":");
  const name = entry.slice(0, Math.max(0, colon));
  const value = entry.slice(colon + 1).trim();
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || /[\r\n\0]/.test(value))
    complaints.add("--header", `${JSON.stringify(entry)} is no header.`, "Write --header 'Name: value'.");
  if (/^(content-length|transfer-encoding|connection)$/i.test(name))
    complaints.add("--header", `${name} is for the generator to send.`, "Leave it out.");
  return [name, value];
}

function checkUrl(subject: string, url: string, complaints: Complaints): void {
  if (/^(https?|wss?):\/\/[^/?#]/i.test(url) && URL.canParse(url.replaceAll(/\{\{|\}\}/g, "_"))) return;
  const instead = /^[a-z0-9.-]+(:\d+)?(\/|$)/i.test(url)
    ? `Write http://${url}.`
    : "Write http://127.0.0.1:8080/.";
  complaints.add(
    subject,
    url === "" ? "No URL is named." : `${JSON.stringify(url)} is no URL to load.`,
    instead,
  );
}

/** The conditions of a list of flags. */
export function conditionsOf(
  flag: string,
  entries: readonly string[],
  complaints: Complaints,
): readonly Condition[] {
  return entries.flatMap((entry) => {
    const read = readCondition(entry);
    if (read.ok) return [read.condition];
    complaints.add(flag, read.message, read.instead);
    return [];
  });
}
