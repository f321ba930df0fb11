/** What `headrace doctor` found. Durations in milliseconds, sizes in bytes. */

export type PreloadLevel = "app" | "imports" | "off";

/** One import. */
export interface ImportNode {
  /** Module; for the roots, what was imported as a whole. */
  readonly name: string;
  /** With all imports inside it. */
  readonly ms: number;
  /** Without them. */
  readonly ownMs: number;
  /** Resident memory that came with it, inside too. 0 where the system does not say. */
  readonly memoryBytes: number;
  /** It raised: most often an optional module that is not installed. */
  readonly failed: boolean;
  /** Longest first. */
  readonly children: readonly ImportNode[];
}

/** What the modules of one package took by themselves, without what they import. */
export interface PackageCost {
  /** Top-level package, "standard library" or "the worker". */
  readonly name: string;
  readonly kind: "app" | "installed" | "standard" | "worker";
  readonly ownMs: number;
  readonly modules: number;
  readonly memoryBytes: number;
}

/** Memory of the process. Null for what the system does not say. */
export interface MemorySizes {
  readonly rss: number | null;
  /** Pages that are shared, counted by their share. */
  readonly pss: number | null;
  /** Pages that no other process has. */
  readonly private: number | null;
}

/** Something that a fork would break. */
export interface DoctorFinding {
  /** Preload level at which it is there. */
  readonly level: "app" | "imports";
  /** "thread", "socket", "loop", "epoll", "cuda", "grpc" or "patch". */
  readonly kind: string;
  /** Whose doing it is; empty when that is not known. */
  readonly module: string;
  /** One phrase. */
  readonly detail: string;
}

export interface DoctorReport {
  /** As it was named. */
  readonly app: string;
  /** module:attribute */
  readonly name: string;
  readonly interface: string;
  readonly python: {
    readonly path: string;
    /** "CPython 3.11.7" */
    readonly version: string;
    /** What named it: "--python", ".venv in shop" … */
    readonly source: string;
  };
  readonly preload: {
    readonly asked: "auto" | PreloadLevel;
    /** What `headrace run` starts instances at. */
    readonly level: PreloadLevel;
    /** Why it is no higher one, or what is risky about it. */
    readonly reasons: readonly string[];
  };
  readonly findings: readonly DoctorFinding[];
  /** What a fork of the process took; null where it is not safe to try. */
  readonly forkMs: number | null;
  /** Modules that the app's import loaded. */
  readonly modules: number;
  /** The app's import. */
  readonly imports: ImportNode;
  /** What the worker imports on top, to run an app of this kind. */
  readonly worker: ImportNode;
  /** Heaviest first. */
  readonly packages: readonly PackageCost[];
  readonly memory: { readonly before: MemorySizes; readonly after: MemorySizes };
}
