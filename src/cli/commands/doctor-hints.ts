/** What to do about what `headrace doctor` found. Pure. */

import { showDuration } from "../../base/units.ts";
import type { DoctorFinding, DoctorReport, ImportNode } from "../../model/doctor.ts";

/** One piece of advice. */
export interface Hint {
  /** A finding's kind, "import" for one that is slow, "library" for one to be careful with. */
  readonly kind: string;
  /** Modules or packages that it is for; empty when that is not known. */
  readonly modules: readonly string[];
  /** One to three sentences. */
  readonly text: string;
}

/** An import is worth a word when it takes this long, and this share of the whole. */
const SLOW_MS = 200;
const SLOW_SHARE = 0.25;

/** The advice for a report, most important first. None when all is well. */
export function hintsFor(report: DoctorReport): readonly Hint[] {
  return [...findingHints(report), ...loadedHints(report), ...slowHints(report)];
}

/** What libraries say themselves about forks; stronger than what is said of the kind of finding. */
const libraries: Readonly<Record<string, string>> = {
  apscheduler:
    "Start the scheduler in %; and as every instance would run its jobs, better in a process of its own.",
  kafka: "Make the client in %: its threads and connections do not survive a fork.",
  posthog: "Make the client in %, or give it sync_mode=True: its thread does not survive a fork.",
  psycopg2: "Connect in %: two processes on one connection garble what it says.",
  psycopg: "Connect in %, pools included: two processes on one connection garble what it says.",
  psycopg_pool: "Make the pool with open=False and open it in %.",
  pymongo: "MongoClient(connect=False) opens nothing before its first use; or make the client in %.",
  redis: "A client connects with its first command: give the first one in %.",
  sqlalchemy: "Connect in %; after queries at import, call engine.dispose(close=False) there.",
};

/** What is said of each kind of finding. %: where it belongs. */
const kinds: Readonly<Record<string, string>> = {
  thread: "Start it in %: a fork copies no threads, so instances would wait for one that is not there.",
  native:
    "Native code starts it. Have it start none (OMP_NUM_THREADS=1 for OpenMP and BLAS), or import and use the library in %.",
  socket: "Connect in %: forked instances would share the connection, and get each other's answers.",
  listening: "Open it in %: forked instances would share it, and take each other's connections.",
  loop: "Make it where it runs, in %: forked instances would share its selector. An instance brings a loop of its own.",
  epoll: "Make the selector in %: forked instances would share it, and hear of each other's connections.",
  cuda: "Use the GPU in % for the first time: CUDA does not work in a forked process. torch.cuda.is_available() is a use already, unless PYTORCH_NVML_BASED_CUDA_CHECK=1 is set.",
  grpc: "Make channels and servers in %: gRPC that is in use may hang after a fork.",
  patch:
    "Leave monkey.patch_all() out and run it with --worker-class gevent, which patches before anything is imported.",
};

function findingHints(report: DoctorReport): Hint[] {
  const place = placeFor(report.interface);
  const hints = new Map<string, { kind: string; modules: Set<string> }>();
  for (const finding of report.findings) {
    const text = textFor(finding).replace("%", place);
    const hint = hints.get(text) ?? { kind: finding.kind, modules: new Set() };
    if (finding.module !== "") hint.modules.add(finding.module);
    hints.set(text, hint);
  }
  return [...hints].map(([text, { kind, modules }]) => ({ kind, modules: [...modules], text }));
}

function textFor({ kind, module, detail }: DoctorFinding): string {
  const library = libraries[module.split(".")[0] ?? ""];
  if (library !== undefined && (kind === "thread" || kind === "socket")) return library;
  if (kind === "thread" && detail.includes("native thread")) return kinds["native"]!;
  if (kind === "socket" && detail.includes("bound to")) return kinds["listening"]!;
  return kinds[kind] ?? "Do it in %.";
}

function placeFor(kind: string): string {
  const hook = "a function registered with @headrace.after_fork";
  return kind === "asgi" ? `the app's lifespan, or in ${hook}` : hook;
}

/** Libraries that are safe as long as they are only imported. */
const careful: Readonly<Record<string, readonly [kind: string, text: string]>> = {
  grpc: ["grpc", "It is imported and not used yet: keep it so, and make channels in %."],
  torch: ["cuda", "It is imported and has not touched the GPU yet: keep it so, and move models to it in %."],
};

function loadedHints(report: DoctorReport): Hint[] {
  if (report.preload.level !== "app") return [];
  const place = placeFor(report.interface);
  return report.packages.flatMap(({ name, kind }) => {
    const row = kind === "installed" && Object.hasOwn(careful, name) ? careful[name] : undefined;
    if (row === undefined || report.findings.some((finding) => finding.kind === row[0])) return [];
    return [{ kind: "library", modules: [name], text: row[1].replace("%", place) }];
  });
}

/** What an app is made with cannot be imported later. */
const frameworks = /^(fastapi|starlette|django|flask|quart|litestar|falcon|pyramid|sanic|bottle)$/;

/** The app's own imports of other packages that take much of the time. */
function slowHints(report: DoctorReport): Hint[] {
  const { imports, preload } = report;
  const own = new Set(report.packages.filter(({ kind }) => kind === "app").map(({ name }) => name));
  const cost = {
    app: "Headrace pays that once, at its start and at each reload",
    imports: "Headrace pays that once, at its start",
    off: "Every instance pays that at its start",
  }[preload.level];
  return edges(imports, own)
    .filter(({ ms }) => ms >= SLOW_MS && ms >= imports.ms * SLOW_SHARE)
    .filter(({ name }) => !frameworks.test(name.split(".")[0] ?? ""))
    .map(({ name, ms }) => {
      const share = Math.round((ms / imports.ms) * 100);
      const advice = "where few requests need it, import it in the functions that use it";
      return {
        kind: "import",
        modules: [name],
        text: `It takes ${showDuration(ms)} of the import, ${share} %. ${cost}; ${advice}.`,
      };
    });
}

/** Imports of what is not the app's by what is. */
function edges(node: ImportNode, own: ReadonlySet<string>): ImportNode[] {
  return node.children.flatMap((child) =>
    own.has(child.name.split(".")[0] ?? "") ? edges(child, own) : [child],
  );
}
