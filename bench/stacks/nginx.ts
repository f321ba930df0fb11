/** nginx in front of uvicorns over Unix sockets, with a pool of kept connections large enough for every client. */
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { APPS, program } from "../frame/places.ts";
import type { Launch } from "../frame/processes.ts";
import { headraceName } from "./headrace.ts";
import { UVICORN } from "./python.ts";
import type { App, Place, Size, Stack } from "./stack.ts";

export function nginx(app: App, size: Size): Stack {
  return {
    name: `nginx, ${size.processes} uvicorn`,
    against: headraceName(size),
    missing: missingNginx(),
    launch: (place) => launch(app, size, place),
  };
}

let lack: string | null | undefined;

function missingNginx(): string | null {
  if (lack === undefined) {
    const found = spawnSync("nginx", ["-v"]).error === undefined;
    lack = found ? null : "nginx is not installed (Debian: apt-get install nginx-light)";
  }
  return lack;
}

function launch(app: App, { processes }: Size, { port, scratch }: Place): Launch {
  const config = join(scratch, "nginx.conf");
  const sockets = Array.from({ length: processes }, (_, n) => join(scratch, `uvicorn-${n + 1}.sock`));
  const settings = configuration(port, scratch, sockets);
  writeFileSync(config, settings);
  const servers = sockets.map((path) =>
    [program("uvicorn"), app.target, "--uds", path, ...UVICORN].join(" "),
  );
  const children = [...servers, `nginx -c ${config} -e ${scratch}/error.log`];
  const lines = children.map((command) => `${command} &\npids="$pids $!"`);
  const start = join(scratch, "nginx-and-uvicorns");
  writeFileSync(start, `#!/bin/sh\n${lines.join("\n")}\ntrap 'kill $pids; wait; exit 0' TERM\nwait\n`);
  chmodSync(start, 0o755);
  return { command: [start], cwd: APPS, shown: [children.join(" & "), `\n${settings.trim()}`] };
}

function configuration(port: number, scratch: string, sockets: readonly string[]): string {
  // Started by root, nginx would give its workers to a user who may not enter the scratch folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const forever = "keepalive_requests 100000000;";
  return `daemon off; ${user} worker_processes auto; pid ${scratch}/nginx.pid; error_log ${scratch}/error.log;
worker_rlimit_nofile 16384; events { worker_connections 8192; }
http {
  access_log off; ${forever} client_max_body_size 0;
  client_body_temp_path ${scratch}/body; proxy_temp_path ${scratch}/proxy; fastcgi_temp_path ${scratch}/fastcgi;
  uwsgi_temp_path ${scratch}/uwsgi; scgi_temp_path ${scratch}/scgi;
  upstream app { ${sockets.map((path) => `server unix:${path} max_fails=0;`).join(" ")} keepalive 1024; ${forever} }
  server { listen 127.0.0.1:${port} backlog=4096;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header connection ""; proxy_set_header host $host;
      proxy_request_buffering off; proxy_buffering on; proxy_max_temp_file_size 0; } } }
`;
}
