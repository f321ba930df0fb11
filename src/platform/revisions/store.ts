/**
 * What an application has to know after it was killed: its revisions, its traffic, its tags. One SQLite file in a folder that only
 * this user can enter. A commit is on the disk before anything goes by it, and one process at a time has the file.
 */

import { Database } from "bun:sqlite";
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { Exit, HeadraceError, messageOf, systemCode } from "../../base/errors.ts";
import { revisionName } from "../../config/service.ts";
import type { MadeBy } from "../../model/revision.ts";
import { notWritten } from "./not-written.ts";
import type { RevisionConfig, RevisionRecord } from "./record.ts";
import { type Mirrored, type Tag, type Target, type Traffic, WHOLE } from "./traffic.ts";

const FILE = "state.sqlite";

const TABLES = `
  CREATE TABLE revisions (
    service TEXT NOT NULL, number INTEGER NOT NULL, created_at INTEGER NOT NULL,
    config TEXT NOT NULL, secrets TEXT NOT NULL, code TEXT NOT NULL,
    PRIMARY KEY (service, number)
  ) STRICT;
  CREATE TABLE traffic (
    service TEXT PRIMARY KEY, targets TEXT NOT NULL, before TEXT, changed_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE tags (
    service TEXT NOT NULL, tag TEXT NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (service, tag)
  ) STRICT;
`;

/** From one version of the file to the next. What is here stays; changes are new steps. A file of a later version is not touched. */
const STEPS = [
  TABLES,
  "ALTER TABLE traffic ADD COLUMN shadow TEXT",
  "ALTER TABLE revisions ADD COLUMN made_by TEXT",
];

/** All that is known of a service. */
export interface ServiceState {
  /** By number. */
  readonly revisions: ReadonlyMap<number, RevisionRecord>;
  readonly traffic: Traffic;
  /** The shares before the last change; null when there was none. */
  readonly before: readonly Target[] | null;
}

/** What is known of a service of which nothing is. */
export const noState: ServiceState = {
  revisions: new Map(),
  traffic: { targets: [], tags: [], shadow: null },
  before: null,
};

export class StateStore {
  readonly #db: Database;
  readonly #folder: string;

  private constructor(db: Database, folder: string) {
    this.#db = db;
    this.#folder = folder;
  }

  /**
   * Opens the file, or makes it.
   * @throws HeadraceError state_in_use, state_unusable
   */
  static open(folder: string): StateStore {
    const path = join(folder, FILE);
    let db: Database | undefined;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700);
      // SQLite gives its log the mode that the file has when it is opened.
      closeSync(openSync(path, "a", 0o600));
      chmodSync(path, 0o600);
      db = new Database(path, { create: true, strict: true });
      // The lock is held as long as the file is open, and the system lets go of it when the process ends, however it does.
      db.run("PRAGMA locking_mode = EXCLUSIVE");
      db.run("PRAGMA journal_mode = WAL");
      db.run("PRAGMA synchronous = FULL");
      db.run("BEGIN IMMEDIATE");
      prepare(db);
      db.run("COMMIT");
      checkPages(db);
      return new StateStore(db, folder);
    } catch (error) {
      db?.close();
      throw unusable(folder, error);
    }
  }

  /**
   * Every service that there ever was.
   * @throws HeadraceError state_unusable when something of it is not as it was written
   */
  load(): ReadonlyMap<string, ServiceState> {
    try {
      const services = this.#load();
      for (const [service, state] of services) checkState(service, state);
      return services;
    } catch (error) {
      throw unusable(this.#folder, new Damaged(messageOf(error), { cause: error }));
    }
  }

  #load(): ReadonlyMap<string, ServiceState> {
    const services = new Map<string, { -readonly [K in keyof ServiceState]: ServiceState[K] }>();
    const of = (service: string) => {
      const known = services.get(service) ?? { ...noState, revisions: new Map() };
      services.set(service, known);
      return known;
    };
    for (const row of this.#rows<RevisionRow>("SELECT * FROM revisions ORDER BY number")) {
      (of(row.service).revisions as Map<number, RevisionRecord>).set(row.number, recordOf(row));
    }
    const tags = Map.groupBy(this.#rows<TagRow>("SELECT * FROM tags ORDER BY tag"), (row) => row.service);
    for (const { service, targets, before, shadow } of this.#rows<TrafficRow>("SELECT * FROM traffic")) {
      const named = (tags.get(service) ?? []).map(({ tag, revision }) => ({ tag, revision }));
      const known = of(service);
      known.traffic = {
        targets: JSON.parse(targets) as Target[],
        tags: named,
        shadow: shadow === null ? null : (JSON.parse(shadow) as Mirrored),
      };
      known.before = before === null ? null : (JSON.parse(before) as Target[]);
    }
    return services;
  }

  /**
   * Makes what is given what is known of these services, all of it or, when it fails, nothing.
   * @throws HeadraceError state_not_written
   */
  save(services: ReadonlyMap<string, ServiceState>): void {
    try {
      this.#db.transaction(() => {
        for (const [service, state] of services) this.#save(service, state);
      })();
    } catch (error) {
      throw notWritten(this.#folder, error);
    }
  }

  close(): void {
    this.#db.close();
  }

  #save(service: string, { revisions, traffic, before }: ServiceState): void {
    const known = this.#db.query("SELECT number FROM revisions WHERE service = ?").all(service) as {
      number: number;
    }[];
    for (const { number } of known) {
      if (revisions.has(number)) continue;
      this.#db.query("DELETE FROM revisions WHERE service = ? AND number = ?").run(service, number);
    }
    const add = this.#db.query("INSERT OR IGNORE INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?)");
    for (const { number, createdAt, config, secrets, code, madeBy } of revisions.values()) {
      add.run(service, number, createdAt, JSON.stringify(config), JSON.stringify(secrets), code, madeBy);
    }
    const shares = JSON.stringify(traffic.targets);
    const mirrored = traffic.shadow === null ? null : JSON.stringify(traffic.shadow);
    const shown = before === null ? null : JSON.stringify(before);
    this.#db
      .query("INSERT OR REPLACE INTO traffic VALUES (?, ?, ?, ?, ?)")
      .run(service, shares, shown, Date.now(), mirrored);
    this.#db.query("DELETE FROM tags WHERE service = ?").run(service);
    const tag = this.#db.query("INSERT INTO tags VALUES (?, ?, ?)");
    for (const each of traffic.tags as readonly Tag[]) tag.run(service, each.tag, each.revision);
  }

  #rows<T>(sql: string): T[] {
    return this.#db.query(sql).all() as T[];
  }
}

interface RevisionRow {
  readonly service: string;
  readonly number: number;
  readonly created_at: number;
  readonly config: string;
  readonly secrets: string;
  readonly code: string;
  readonly made_by: string | null;
}

interface TrafficRow {
  readonly service: string;
  readonly targets: string;
  readonly before: string | null;
  readonly shadow: string | null;
}

interface TagRow {
  readonly service: string;
  readonly tag: string;
  readonly revision: number;
}

function recordOf({ number, created_at, config, secrets, code, made_by }: RevisionRow): RevisionRecord {
  return {
    number,
    createdAt: created_at,
    config: JSON.parse(config) as RevisionConfig,
    secrets: JSON.parse(secrets) as RevisionRecord["secrets"],
    code,
    madeBy: made_by as MadeBy | null,
  };
}

function prepare(db: Database): void {
  const { user_version: version } = db.query("PRAGMA user_version").get() as { user_version: number };
  if (version > STEPS.length)
    throw new Error(`it is of version ${version}, this Headrace knows ${STEPS.length}`);
  for (const step of STEPS.slice(version)) db.run(step);
  db.run(`PRAGMA user_version = ${STEPS.length}`);
}

/** The file is there, and is not what was written. */
class Damaged extends Error {}

/** A disk, a copy or a hand may have changed it: what is wrong has to come out here, not when it is needed. */
function checkPages(db: Database): void {
  const found = db.query("PRAGMA quick_check(1)").all() as readonly { readonly quick_check: string }[];
  const wrong = found.find(({ quick_check }) => quick_check !== "ok");
  if (wrong !== undefined) throw new Damaged("its pages do not fit together");
}

/** Whatever is routed has to be there. */
function checkState(service: string, { revisions, traffic, before }: ServiceState): void {
  const { targets, tags, shadow } = traffic;
  const unread = [...revisions.values()].find(({ config }) => typeof config?.app !== "string");
  if (unread !== undefined) throw new Damaged(`${revisionName(unread.number)} of ${service} has no options`);
  const shared = Array.isArray(targets) && targets.reduce((sum, { weight }) => sum + weight, 0) === WHOLE;
  if (!shared || (before !== null && !Array.isArray(before)))
    throw new Damaged(`the shares of ${service} are none`);
  for (const { revision } of [...targets, ...tags, ...(shadow === null ? [] : [shadow])]) {
    if (!revisions.has(revision)) throw new Damaged(`there is no ${revisionName(revision)} of ${service}`);
  }
}

function unusable(folder: string, error: unknown): HeadraceError {
  const code = systemCode(error);
  if (code === "SQLITE_BUSY") {
    const message = `Another headrace up has the state in ${folder}.`;
    const hint = "headrace ps lists what runs; or name another folder with --state-dir.";
    return new HeadraceError("state_in_use", message, { exit: Exit.USAGE, hint });
  }
  const damaged = error instanceof Damaged || code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB";
  const message = `The state in ${folder} ${damaged ? "is damaged" : "cannot be used"}: ${messageOf(error)}.`;
  const hint = damaged
    ? "Move the folder away: the next start begins with what the file says."
    : "Name another folder with --state-dir.";
  return new HeadraceError("state_unusable", message, { exit: Exit.USAGE, hint, cause: error });
}
