/** Who is compared in which scenario, and how each is started. */
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const APPS = join(ROOT, "bench/apps");
const BIN = join(ROOT, ".venv/bin");

export interface Scenario {
  readonly name: string;
  /** Module in bench/apps/, with an attribute `app`. */
  readonly module: string;
  readonly path: string;
  readonly kind: "asgi" | "wsgi";
}

export const scenarios: readonly Scenario[] = [
  { name: "raw", module: "raw", path: "/", kind: "asgi" },
  { name: "fastapi", module: "fastapi_app", path: "/items/42?q=corn", kind: "asgi" },
  { name: "flask", module: "flask_app", path: "/", kind: "wsgi" },
];

export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  readonly url: string;
  readonly cwd: string;
}

/** Headrace first, then its peers, each with as many app processes as the Headrace that it is held against. */
export function contenders(scenario: Scenario, scratch: string): Contender[] {
  const target = `${scenario.module}:app`;
  if (scenario.kind === "wsgi") return [headrace(target, { instances: 1, slots: 8 }), gthread(target)];
  const one = headrace(target, { instances: 1, slots: 1000 });
  const list = [one, uvicorn(target)];
  if (hasNginx()) list.push(headrace(target, { instances: 2, slots: 1000 }), nginx(target, scratch));
  return list;
}

/** The Headrace that a peer is held against; null for a Headrace. */
export function yardstick(name: string): string | null {
  if (name.startsWith("headrace")) return null;
  return name.startsWith("nginx") ? "headrace, 2 instances" : "headrace";
}

function headrace(target: string, size: { instances: number; slots: number }): Contender {
  const port = 18100 + 50 * (size.instances - 1);
  const flags = {
    "--app-dir": APPS,
    "--port": port,
    "--admin-port": port + 49,
    "--python": join(BIN, "python"),
    "--access-log": "off",
    "--line-depth": 10_000,
    "--concurrency": size.slots,
    "--instances": size.instances,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [flag, String(value)]);
  return {
    name: size.instances === 1 ? "headrace" : `headrace, ${size.instances} instances`,
    command: [join(ROOT, "headrace"), "run", target, ...args],
    url: `http://127.0.0.1:${port}`,
    cwd: APPS,
  };
}

const UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"];

function uvicorn(target: string): Contender {
  return {
    name: "uvicorn",
    command: [join(BIN, "uvicorn"), target, "--port", "18101", ...UVICORN],
    url: "http://127.0.0.1:18101",
    cwd: APPS,
  };
}

/** As many threads as Headrace has slots. */
function gthread(target: string): Contender {
  return {
    name: "gunicorn gthread",
    command: [
      join(BIN, "gunicorn"),
      "-k",
      "gthread",
      "--threads",
      "8",
      "-b",
      "127.0.0.1:18102",
      "--keep-alive",
      "75",
      target,
    ],
    url: "http://127.0.0.1:18102",
    cwd: APPS,
  };
}

function hasNginx(): boolean {
  if (spawnSync("nginx", ["-v"]).error === undefined) return true;
  process.stderr.write("nginx is missing: that peer is left out (Debian: apt-get install nginx-light).\n");
  return false;
}

/** nginx in front of two uvicorns over Unix sockets, with a connection pool large enough for every client. */
function nginx(target: string, scratch: string): Contender {
  const config = join(scratch, "nginx.conf");
  const sockets = [1, 2].map((n) => join(scratch, `uvicorn-${n}.sock`));
  // Started by root, nginx would give its workers to a user who may not enter the scratch folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  writeFileSync(
    config,
    `daemon off; ${user} worker_processes auto; pid ${scratch}/nginx.pid; error_log ${scratch}/error.log;
     worker_rlimit_nofile 16384; events { worker_connections 8192; }
     http {
       access_log off; keepalive_requests 100000000;
       client_body_temp_path ${scratch}/body; proxy_temp_path ${scratch}/proxy; fastcgi_temp_path ${scratch}/fastcgi;
       uwsgi_temp_path ${scratch}/uwsgi; scgi_temp_path ${scratch}/scgi;
       upstream app { ${sockets.map((path) => `server unix:${path};`).join(" ")} keepalive 1024; keepalive_requests 100000000; }
       server { listen 127.0.0.1:18103 backlog=4096;
         location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header connection ""; proxy_set_header host $host; } } }`,
  );
  const start = join(scratch, "nginx-and-uvicorns");
  const servers = sockets.map(
    (path) => `${join(BIN, "uvicorn")} ${target} --uds ${path} ${UVICORN.join(" ")}`,
  );
  const children = [...servers, `nginx -c ${config} -e ${scratch}/error.log`];
  const lines = children.map((command) => `${command} &\npids="$pids $!"`);
  writeFileSync(start, `#!/bin/sh\n${lines.join("\n")}\ntrap 'kill $pids; wait; exit 0' TERM\nwait\n`);
  chmodSync(start, 0o755);
  return { name: "nginx, 2 uvicorn", command: [start], url: "http://127.0.0.1:18103", cwd: APPS };
}
