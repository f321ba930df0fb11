/**
 * The last log lines of every service, on disk: what `headrace logs` shows. Of each service there are two files, the one that is written
 * and the one before it, each with at most half of the bytes that may be kept; when the first is full it takes the place of the second.
 * Lines are JSON, one object each, in the order of their ids, which rise over restarts.
 */

import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { messageOf, systemCode } from "../base/errors.ts";
import type { EventReport } from "../model/event.ts";
import type { LogRecord } from "../model/log.ts";

export interface LogStoreOptions {
  /** Made when it is not there. */
  readonly folder: string;
  /** Of each service, at most. */
  readonly bytes: number;
  /** Lines are written together after so long. */
  readonly lingerMs: number;
  /** Called once when lines cannot be written; from then on none are kept. */
  readonly failed: (why: string) => void;
}

export const LINGER_MS = 100;

/** Which lines are wanted. */
export interface LogQuery {
  /** Undefined: of all, and those of none. */
  readonly service?: string | undefined;
  readonly instance?: string | undefined;
  /** From this time on, in Unix milliseconds. */
  readonly since?: number | undefined;
  /** After this id. */
  readonly after?: number | undefined;
  /** The last so many. */
  readonly tail: number;
}

/** The file of lines that are of no service. No service can have this name. */
const NO_SERVICE = "_headrace";
/** Written before the time is over when there is so much. */
const BATCH_CHARACTERS = 64 * 1024;

interface File {
  fd: number;
  size: number;
  waiting: string[];
  characters: number;
}

export class LogStore {
  readonly #options: LogStoreOptions;
  readonly #files = new Map<string, File>();
  readonly #listeners = new Set<(line: EventReport) => void>();
  #timer: Timer | undefined;
  #lastId = 0;
  #broken = false;

  /** @throws Error when the folder cannot be made or read */
  constructor(options: LogStoreOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    for (const name of this.#names()) this.#lastId = Math.max(this.#lastId, lastIdIn(this.#path(name)));
  }

  /** Takes a line. Never throws. */
  add(record: LogRecord): void {
    const { time, level, event, message, fields } = record;
    const line: EventReport = { id: String(this.#nextId()), time, level, event, message, fields };
    this.#keep(serviceOf(line) || NO_SERVICE, `${JSON.stringify(line)}\n`);
    for (const listener of this.#listeners) listener(line);
  }

  /** Answers how to stop listening. */
  listen(listener: (line: EventReport) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether there are lines of a service. */
  has(service: string): boolean {
    return this.#files.has(service) || this.#names().includes(service);
  }

  /** The lines that are wanted, oldest first. */
  async read(query: LogQuery): Promise<readonly EventReport[]> {
    this.flush();
    const names = query.service === undefined ? this.#names() : [query.service];
    const found: EventReport[] = [];
    for (const name of names) {
      found.push(...(await this.#readService(name, query)));
      if (found.length > 2 * query.tail) keepLast(found, query.tail);
    }
    keepLast(found, query.tail);
    return found;
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [name, file] of this.#files) this.#write(name, file);
  }

  close(): void {
    this.flush();
    for (const { fd } of this.#files.values()) if (fd !== -1) closeSync(fd);
    this.#files.clear();
    this.#broken = true;
  }

  /** Thousandths of milliseconds, or one more than the last where the clock has not moved on, or was set back. */
  #nextId(): number {
    this.#lastId = Math.max(this.#lastId + 1, Date.now() * 1_000);
    return this.#lastId;
  }

  #keep(name: string, text: string): void {
    if (this.#broken) return;
    const file = this.#files.get(name) ?? { fd: -1, size: 0, waiting: [], characters: 0 };
    this.#files.set(name, file);
    file.waiting.push(text);
    file.characters += text.length;
    if (file.characters > BATCH_CHARACTERS) this.#write(name, file);
    else this.#timer ??= setTimeout(() => this.flush(), this.#options.lingerMs);
  }

  #write(name: string, file: File): void {
    if (file.waiting.length === 0) return;
    const bytes = Buffer.from(file.waiting.join(""));
    file.waiting = [];
    file.characters = 0;
    try {
      if (file.fd === -1) this.#open(name, file);
      if (file.size > 0 && file.size + bytes.length > this.#options.bytes / 2) {
        closeSync(file.fd);
        file.fd = -1;
        renameSync(this.#path(name), this.#path(name, ".1"));
        this.#open(name, file);
      }
      for (let at = 0; at < bytes.length; ) at += writeSync(file.fd, bytes, at);
      file.size += bytes.length;
    } catch (error) {
      this.#broken = true;
      this.#options.failed(`${this.#path(name)}: ${messageOf(error)}`);
    }
  }

  #open(name: string, file: File): void {
    const path = this.#path(name);
    file.fd = openSync(path, "a", 0o600);
    file.size = fstatSync(file.fd).size;
    // The last line may have been cut when the machine went down: the next one must not stand behind it.
    if (file.size > 0 && !endOf(path, 1).endsWith("\n")) file.size += writeSync(file.fd, "\n");
  }

  #path(name: string, suffix = ""): string {
    return join(this.#options.folder, `${name}.log${suffix}`);
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#options.folder)
        .filter((name) => name.endsWith(".log"))
        .map((name) => name.slice(0, -".log".length));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw error;
    }
  }

  /** Newest file first, its end first: what is wanted is most often there. */
  async #readService(name: string, query: LogQuery): Promise<EventReport[]> {
    const found: EventReport[] = [];
    for (const suffix of ["", ".1"]) {
      const lines = (await textOf(this.#path(name, suffix))).split("\n");
      for (let index = lines.length - 1; index >= 0 && found.length < query.tail; index--) {
        const line = parsed(lines[index]!);
        if (line === null) continue;
        if (isBefore(line, query)) return found.reverse();
        if (wanted(line, query)) found.push(line);
      }
    }
    return found.reverse();
  }
}

/** Whether a line is one that is wanted, now that it has come. */
export function wanted(line: EventReport, { service, instance }: LogQuery): boolean {
  if (service !== undefined && serviceOf(line) !== service) return false;
  const own = line.fields["service.instance.id"] ?? line.fields["instance"];
  return instance === undefined || own === instance;
}

function isBefore({ id, time }: EventReport, { since = 0, after = 0 }: LogQuery): boolean {
  return time < since || Number(id) <= after;
}

/** The last characters of a file. */
function endOf(path: string, bytes: number): string {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, bytes));
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, size - buffer.length));
  } finally {
    closeSync(fd);
  }
}

/** Long enough for a line of a traceback. */
const END_BYTES = 256 * 1024;

function lastIdIn(path: string): number {
  const lines = endOf(path, END_BYTES).split("\n");
  for (const text of lines.reverse()) {
    const line = parsed(text);
    if (line !== null) return Number(line.id);
  }
  return 0;
}

function serviceOf({ fields }: EventReport): string {
  const service = fields["service.name"];
  return typeof service === "string" ? service : "";
}

function keepLast(lines: EventReport[], count: number): void {
  lines.sort((a, b) => Number(a.id) - Number(b.id));
  lines.splice(0, Math.max(0, lines.length - count));
}

async function textOf(path: string): Promise<string> {
  try {
    return await Bun.file(path).text();
  } catch {
    // Not there yet, or just given another name: nothing that can be read.
    return "";
  }
}

/** Null for what is no line of ours: the last one may have been cut when the machine went down. */
function parsed(text: string): EventReport | null {
  if (text === "") return null;
  try {
    const line = JSON.parse(text) as EventReport;
    return typeof line.id === "string" && typeof line.time === "number" ? line : null;
  } catch {
    return null;
  }
}
