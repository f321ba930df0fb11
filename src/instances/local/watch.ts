/**
 * Watches an app's files for `--reload`, and the file of `headrace up`. One watch a directory rather than one recursive watch: virtual environments and the like are
 * never entered, so they cost no watches (the system has a limited number). Where watches cannot be had, the tree is scanned instead.
 */

import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { type Clock, systemClock } from "../../base/clock.ts";

export interface WatchSettings {
  /** Folders that are watched, with what is in them. */
  readonly folders: readonly string[];
  /** Globs, matched with a file's name and with its path in the folder. */
  readonly include: readonly string[];
  /** What is in the folders themselves, and not in those in them. */
  readonly shallow?: boolean;
}

/** What holds an app's source. */
export const PYTHON_FILES = "*.py";

/** Folders that hold no source of the app's. */
export const ignoredFolders: ReadonlySet<string> = new Set(
  ".git .hg .venv venv __pycache__ node_modules site-packages .mypy_cache .ruff_cache .pytest_cache .tox".split(
    " ",
  ),
);

/** Editors write a file in several steps: changes are told this long after the last one. */
const QUIET_MS = 50;
const SCAN_MS = 500;

/** Tells `changed` the paths of files that were written, made or removed. */
export function watchFiles(
  settings: WatchSettings,
  changed: (paths: readonly string[]) => void,
  clock: Clock = systemClock,
): { close(): void } {
  return new Watcher(settings, changed, clock);
}

/** The same of one file, however it is replaced. */
export function watchFile(path: string, changed: () => void, clock: Clock = systemClock): { close(): void } {
  const include = [basename(path).replace(/[\\*?[\]{}!]/g, "\\$&")];
  return new Watcher({ folders: [dirname(path)], include, shallow: true }, changed, clock);
}

class Watcher {
  readonly #globs: readonly Bun.Glob[];
  readonly #changed: (paths: readonly string[]) => void;
  readonly #clock: Clock;
  readonly #watches = new Map<string, FSWatcher>();
  readonly #folders: readonly string[];
  readonly #shallow: boolean;
  #pending = new Set<string>();
  #cancelQuiet = () => {};
  #cancelScan = () => {};
  /** Modification times of the last scan; undefined while watches do the work. */
  #times: Map<string, number> | undefined;
  #closed = false;

  constructor(settings: WatchSettings, changed: (paths: readonly string[]) => void, clock: Clock) {
    this.#globs = settings.include.map((pattern) => new Bun.Glob(pattern));
    this.#changed = changed;
    this.#clock = clock;
    this.#folders = settings.folders;
    this.#shallow = settings.shallow ?? false;
    for (const folder of settings.folders) this.#enter(folder, () => {});
  }

  close(): void {
    this.#closed = true;
    this.#cancelQuiet();
    this.#cancelScan();
    for (const each of this.#watches.values()) each.close();
    this.#watches.clear();
  }

  /** Watches a folder and those in it; `file` is called for each file that is there already. */
  #enter(folder: string, file: (path: string) => void): void {
    if (this.#times !== undefined || this.#watches.has(folder)) return;
    try {
      const watcher = watch(folder, (_, name) => this.#event(folder, String(name ?? "")));
      watcher.on("error", () => this.#leave(folder));
      this.#watches.set(folder, watcher);
    } catch {
      // A folder that is gone again is no matter. Anything else means that the system has no watches left.
      if (exists(folder)) this.#fallBack();
      return;
    }
    // Read after the watch is on: what comes in between is seen twice rather than never.
    for (const entry of entries(folder)) {
      const path = join(folder, entry.name);
      if (!entry.isDirectory()) file(path);
      else if (this.#enters(entry.name)) this.#enter(path, file);
    }
  }

  #enters(name: string): boolean {
    return !this.#shallow && !ignoredFolders.has(name);
  }

  #leave(folder: string): void {
    for (const [path, watcher] of this.#watches) {
      if (path !== folder && !path.startsWith(`${folder}/`)) continue;
      watcher.close();
      this.#watches.delete(path);
    }
  }

  #event(folder: string, name: string): void {
    if (this.#closed || name === "") return;
    const path = join(folder, name);
    if (ignoredFolders.has(name)) return;
    const stat = statSync(path, { throwIfNoEntry: false });
    // Made anew under a name that was watched: the old watch is on the folder that is gone.
    if (this.#watches.has(path)) this.#leave(path);
    if (!stat?.isDirectory()) this.#note(path);
    else if (this.#enters(name)) this.#enter(path, (file) => this.#note(file));
  }

  #note(path: string): void {
    if (!this.#matches(path)) return;
    this.#pending.add(path);
    this.#cancelQuiet();
    this.#cancelQuiet = this.#clock.after(QUIET_MS, () => {
      const paths = [...this.#pending];
      this.#pending = new Set();
      this.#changed(paths);
    });
  }

  #matches(path: string): boolean {
    const name = basename(path);
    const folder = this.#folders.find((each) => path.startsWith(each)) ?? "";
    return this.#globs.some((glob) => glob.match(name) || glob.match(relative(folder, path)));
  }

  /** Scans from now on. */
  #fallBack(): void {
    for (const each of this.#watches.values()) each.close();
    this.#watches.clear();
    this.#times = this.#scan();
    const again = () => {
      const before = this.#times ?? new Map();
      const now = this.#scan();
      for (const [path, time] of now) if (before.get(path) !== time) this.#note(path);
      for (const path of before.keys()) if (!now.has(path)) this.#note(path);
      this.#times = now;
      this.#cancelScan = this.#clock.after(SCAN_MS, again);
    };
    this.#cancelScan = this.#clock.after(SCAN_MS, again);
  }

  #scan(): Map<string, number> {
    const times = new Map<string, number>();
    const folders = [...this.#folders];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for (const entry of entries(folder)) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) {
          if (this.#enters(entry.name)) folders.push(path);
        } else if (this.#matches(path)) {
          times.set(path, statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
        }
      }
    }
    return times;
  }
}

function entries(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
