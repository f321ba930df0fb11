/** Python's servers, each with the flags that make it fastest, as far as its own docs and benchmarks know them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { APPS, ENVIRONMENT, program } from "../frame/places.ts";
import { headraceName } from "./headrace.ts";
import type { App, Size, Stack } from "./stack.ts";

const BACKLOG = "4096";

/** Without access log, on uvloop and httptools. */
export const UVICORN = [
  ...["--loop", "uvloop", "--http", "httptools", "--backlog", BACKLOG],
  ...["--no-access-log", "--log-level", "warning"],
];

interface Made {
  readonly name: string;
  readonly program: string;
  readonly args: (port: number) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A module that it needs beside its program. */
  readonly module?: string;
}

function stack({ processes, ...size }: Size, made: Made): Stack {
  const path = program(made.program);
  return {
    name: processes === 1 ? made.name : `${made.name}, ${processes} processes`,
    against: headraceName({ processes, ...size }),
    missing: lack(path, made),
    launch: ({ port }) => ({
      command: [path, ...made.args(port)],
      cwd: APPS,
      ...(made.env === undefined ? {} : { env: made.env }),
    }),
  };
}

function lack(path: string, { program: name, module }: Made): string | null {
  if (!existsSync(path)) return `${name} is not in ${ENVIRONMENT}`;
  if (module === undefined) return null;
  const found = [
    ...new Bun.Glob(`lib/python*/site-packages/${module}`).scanSync({ cwd: ENVIRONMENT, onlyFiles: false }),
  ];
  return found.length > 0 ? null : `${module} is not in ${ENVIRONMENT}`;
}

export function uvicorn(app: App, size: Size, more: readonly string[] = []): Stack {
  const workers = size.processes === 1 ? [] : ["--workers", String(size.processes)];
  return stack(size, {
    name: "uvicorn",
    program: "uvicorn",
    args: (port) => [app.target, "--port", String(port), ...workers, ...UVICORN, ...more],
  });
}

const gunicornArgs = (app: App, { processes }: Size, port: number) => [
  ...["-b", `127.0.0.1:${port}`, "-w", String(processes), "--backlog", BACKLOG, "--keep-alive", "75"],
  ...[
    "--graceful-timeout",
    "1",
    "--worker-connections",
    "10000",
    "--log-level",
    "warning",
    "--no-control-socket",
    app.target,
  ],
];

/** The worker of uvicorn-worker takes uvloop and httptools where they are installed. */
export function gunicornUvicorn(app: App, size: Size): Stack {
  return stack(size, {
    name: "gunicorn, uvicorn worker",
    program: "gunicorn",
    module: "uvicorn_worker",
    args: (port) => ["-k", "uvicorn_worker.UvicornWorker", ...gunicornArgs(app, size, port)],
  });
}

/** As many threads as Headrace has slots. */
export function gthread(app: App, size: Size): Stack {
  const threads = ["-k", "gthread", "--threads", String(size.slots)];
  return stack(size, {
    name: "gunicorn gthread",
    program: "gunicorn",
    args: (port) => [...threads, ...gunicornArgs(app, size, port)],
  });
}

export function gevent(app: App, size: Size): Stack {
  return stack(size, {
    name: "gunicorn gevent",
    program: "gunicorn",
    module: "gevent",
    args: (port) => ["-k", "gevent", ...gunicornArgs(app, size, port)],
  });
}

/** As its own benchmarks start it: one runtime thread in single-threaded mode; for WSGI as many blocking threads as there are slots. */
export function granian(app: App, size: Size, more: readonly string[] = []): Stack {
  const mode =
    app.kind === "wsgi"
      ? ["--interface", "wsgi", "--blocking-threads", String(size.slots)]
      : ["--interface", "asgi", "--loop", "uvloop", "--task-impl", "asyncio"];
  const fixed = [
    ...[
      "--host",
      "127.0.0.1",
      "--workers",
      String(size.processes),
      "--runtime-threads",
      "1",
      "--runtime-mode",
      "st",
    ],
    ...["--http", "1", "--backlog", BACKLOG, "--log-level", "warning", "--no-access-log"],
  ];
  return stack(size, {
    name: "granian",
    program: "granian",
    args: (port) => [...mode, ...fixed, ...backpressure(more), "--port", String(port), app.target],
  });
}

/** Its limit counts connections, and its default is the backlog: all clients shall be served. */
function backpressure(more: readonly string[]): readonly string[] {
  return more.includes("--backpressure") ? more : ["--backpressure", "8192", ...more];
}

export function hypercorn(app: App, size: Size): Stack {
  const fixed = ["-k", "uvloop", "-w", String(size.processes), "--backlog", BACKLOG, "--keep-alive", "75"];
  return stack(size, {
    name: "hypercorn",
    program: "hypercorn",
    args: (port) => [...fixed, "--log-level", "WARNING", "-b", `127.0.0.1:${port}`, app.target],
  });
}

/** gunicorn's gthread with as many threads as Headrace has slots; with `asgi` gunicorn with a uvicorn worker. */
export function functionsFramework(app: App, size: Size, asgi = false): Stack {
  const [module, target] = app.target.split(":");
  const source = ["--source", join(APPS, `${module}.py`), "--target", target ?? ""];
  return stack(size, {
    name: asgi ? "functions-framework, asgi" : "functions-framework",
    program: "functions-framework",
    args: (port) => [...source, "--host", "127.0.0.1", "--port", String(port), ...(asgi ? ["--asgi"] : [])],
    env: { THREADS: String(size.slots), WORKERS: String(size.processes), GUNICORN_LOG_LEVEL: "warning" },
  });
}
