/** An application with one service, for the stories of revisions. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, freePort, Headrace, PYTHON } from "./harness.ts";

/** Answers with its version and that of a module that it imports at its first request. `n` counts the requests. */
const APP = (version: string, body: string) => `
import asyncio
VERSION = "${version}"
n = 0
async def app(scope, receive, send):
    global n
    if scope["type"] != "http":
        return
    n += 1
    import lazy
    async def answer(status):
        body = (VERSION + " " + lazy.VERSION).encode()
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})
    ${body}
`;

let count = 0;

export class RevisionWorld {
  readonly folder: string;
  readonly file: string;
  readonly name: string;
  readonly ports: { readonly port: number; readonly adminPort: number };
  readonly env: Record<string, string>;

  private constructor(scratch: string, ports: { port: number; adminPort: number }) {
    this.folder = join(scratch, String(count++));
    this.file = join(this.folder, "headrace.yaml");
    this.ports = ports;
    this.name = `world-${ports.port}`;
    this.env = { XDG_RUNTIME_DIR: scratch, XDG_STATE_HOME: join(this.folder, "state"), API_KEY: "hunter2" };
    mkdirSync(this.folder);
    this.code("v1");
  }

  /** @param service more lines of the service, indented by four */
  static async make(scratch: string, service = ""): Promise<RevisionWorld> {
    const world = new RevisionWorld(scratch, { port: await freePort(), adminPort: await freePort() });
    world.write(service);
    return world;
  }

  write(service: string): void {
    writeFileSync(
      this.file,
      `
name: ${this.name}
listen: { port: ${this.ports.port} }
admin: { port: ${this.ports.adminPort} }
gateways: 2
logs: { access: off, format: json }
services:
  api:
    app: app.py
    python: ${PYTHON}
    env: { KEY: "secret:env/API_KEY", PLAIN: word }
${service}
`,
    );
  }

  code(version: string, body = "await answer(200)"): void {
    writeFileSync(join(this.folder, "app.py"), APP(version, body));
    writeFileSync(join(this.folder, "lazy.py"), `VERSION = "${version}"\n`);
  }

  /** Code that serves, and crashes once a file is there. */
  crashing(version: string, gate: string): void {
    const crash = `
import os, threading, time
def crash():
    while not os.path.exists(${JSON.stringify(gate)}):
        time.sleep(0.01)
    os._exit(1)
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        threading.Timer(0.5, crash).start()
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"${version}"})
`;
    writeFileSync(join(this.folder, "app.py"), crash);
  }

  up(): Promise<Headrace> {
    return Headrace.up(this.file, this.ports, this.env);
  }

  attempt(...args: readonly string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
    const which = args[0] === "ps" || args[0] === "up" ? [] : ["--name", this.name];
    return command([...args, ...which], { env: this.env });
  }

  async run(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.attempt(...args);
    if (status !== 0) throw new Error(`headrace ${args.join(" ")} ended with ${status}: ${stderr}`);
    return stdout;
  }

  async refused(...args: readonly string[]): Promise<string> {
    const { status, stderr } = await this.attempt(...args);
    if (status === 0) throw new Error(`headrace ${args.join(" ")} was not refused`);
    return stderr;
  }

  /** What it deploys stays up, so nothing waits to see whether it does. */
  async deploy(version: string, ...flags: readonly string[]): Promise<string> {
    this.code(version);
    return this.run("deploy", "api", "--settle", "0", ...flags);
  }

  /** What the admin API says of the service. */
  async api<T>(headrace: Headrace, path: string): Promise<T> {
    return (await (await fetch(`${headrace.adminUrl}/v1/services/api/${path}`)).json()) as T;
  }
}
