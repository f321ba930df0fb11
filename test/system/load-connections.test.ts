/** How `headrace load` connects: addresses, certificates, WebSockets. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LoadResult } from "../../src/load/result.ts";
import { selfSigned } from "./certificate.ts";
import { command, PATIENCE_MS, scratchFolder } from "./harness.ts";
import { Target } from "./target.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const folder = scratchFolder();
afterAll(() => folder[Symbol.dispose]());

async function load(...args: readonly string[]): Promise<LoadResult> {
  const { status, stdout, stderr } = await command(["load", ...args, "--json", "-", "--admin", "off"]);
  if (!stdout.startsWith("{")) throw new Error(`no result (exit ${status}):\n${stdout}${stderr}`);
  return JSON.parse(stdout) as LoadResult;
}

async function refused(...args: readonly string[]): Promise<string> {
  const { status, stderr } = await command(["load", ...args, "--admin", "off"]);
  expect(status).toBe(2);
  return stderr;
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder.path, name);
  writeFileSync(path, content);
  return path;
}

test("--connect-to goes to every address with its own port", async () => {
  using one = new Target();
  using two = new Target();
  const to = [one, two].flatMap(({ url }) => ["--connect-to", new URL(url).host]);
  const { totals } = await load("http://shop.test/ok", "-c", "4", "-n", "40", ...to);
  expect(totals).toMatchObject({ done: 40, failed: 0 });
  expect(one.seen.length).toBeGreaterThan(0);
  expect(two.seen.length).toBeGreaterThan(0);
});

test("what stands before the host is sent as curl sends it, and is in no report", async () => {
  using target = new Target();
  const url = target.url.replace("://", "://me:p%40ss@");
  const result = await load(`${url}/ok`, "-c", "1", "-n", "1");
  expect(target.seen[0]!.headers).toContain(`authorization: Basic ${btoa("me:p@ss")}`);
  expect(JSON.stringify(result)).not.toContain("p%40ss");
  await load(`${url}/ok`, "-c", "1", "-n", "1", "-H", "Authorization: Bearer x");
  expect(target.seen[1]!.headers).not.toContain("Basic");
});

test("connections that are asked for are had, over more processes where one may not open so many", async () => {
  using target = new Target();
  const { plan } = await load(`${target.url}/ok`, "--rate", "5", "-d", "1s", "--max-connections", "23000");
  expect(plan.connections).toBe(23_000);
});

describe("certificates", () => {
  test("--insecure takes one of another name, and only then", async () => {
    const pair = selfSigned("other.test");
    await using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: pair,
      fetch: () => new Response("secret"),
    });
    const url = `https://localhost:${server.port}/`;
    const ca = file("other.pem", pair.cert);
    expect((await load(url, "-c", "1", "-n", "3", "--cacert", ca)).failures).toEqual({ tls: 3 });
    expect((await load(url, "-c", "1", "-n", "3", "--cacert", ca, "-k")).totals.failed).toBe(0);
    expect((await load(url, "-c", "1", "-n", "3", "-k")).totals.failed).toBe(0);
  });

  test("--insecure does not take what is no TLS", async () => {
    await using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("plain") });
    const { failures } = await load(`https://127.0.0.1:${server.port}/`, "-c", "1", "-n", "2", "-k");
    expect(failures).toEqual({ tls: 2 });
  });

  test("a file that holds none is refused", async () => {
    using target = new Target();
    const why = await refused(`${target.url}/ok`, "--cacert", file("no.pem", "not a certificate"));
    expect(why).toContain("no.pem holds no certificate");
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    expect(await refused(`${target.url}/ok`, "--cacert", file("broken.pem", broken))).toContain("broken.pem");
  });
});

/** A service of WebSockets that keeps what was sent to it. */
function sockets() {
  const said: { readonly path: string; readonly message: string | Buffer }[] = [];
  const state = { opened: 0 };
  const server = Bun.serve<{ readonly path: string }>({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, own) {
      const { pathname: path } = new URL(request.url);
      if (path.startsWith("/plain")) return new Response("no socket here");
      return own.upgrade(request, { data: { path } }) ? undefined : new Response("no", { status: 400 });
    },
    websocket: {
      open() {
        state.opened++;
      },
      message(socket, message) {
        said.push({ path: socket.data.path, message });
        socket.send(message);
      },
    },
  });
  return { server, said, state, url: (path: string) => `ws://127.0.0.1:${server.port}${path}` };
}

describe("WebSockets", () => {
  test("a message is text with values of its own, and data when it is no text", async () => {
    const { server, said, url } = sockets();
    await using _ = server;
    const { totals } = await load(url("/chat/{{seq}}"), "-c", "2", "-n", "6", "--data", "hello {{seq}} ü");
    expect(totals).toMatchObject({ done: 6, failed: 0, bytesOut: 6 * 10 });
    const texts = said.map(({ message }) => message);
    expect(texts.toSorted()).toEqual([0, 1, 2, 3, 4, 5].map((seq) => `hello ${seq} ü`));
    expect(new Set(said.map(({ path }) => path))).toEqual(new Set(["/chat/0", "/chat/1"]));
    said.length = 0;
    await load(url("/chat"), "-c", "1", "-n", "1", "--data", `@${file("bytes", Buffer.from([0xff, 0, 1]))}`);
    expect(said.map(({ message }) => message)).toEqual([Buffer.from([0xff, 0, 1])]);
    said.length = 0;
    const bare = await load(url("/chat"), "-c", "1", "-n", "2");
    expect([said.map(({ message }) => message), bare.totals.bytesOut]).toEqual([["ping", "ping"], 8]);
  });

  test("each URL of a list has connections and messages of its own", async () => {
    const { server, said, url } = sockets();
    await using _ = server;
    const list = file(
      "sockets.txt",
      `${url("/one")} @${file("one", "first")}\n${url("/two")} @${file("two", "second")}\n`,
    );
    const { totals } = await load("--urls", list, "-c", "2", "-n", "40");
    expect(totals).toMatchObject({ done: 40, failed: 0 });
    const pairs = new Set(said.map(({ path, message }) => `${path} ${message}`));
    expect(pairs).toEqual(new Set(["/one first", "/two second"]));
  });

  test("a list of HTTP and WebSockets is refused", async () => {
    const list = file("mixed.txt", "http://127.0.0.1:1/\nws://127.0.0.1:1/\n");
    expect(await refused("--urls", list)).toContain("HTTP and WebSockets cannot be mixed");
  });

  test("a connection for each message, without keep-alive", async () => {
    const { server, state, url } = sockets();
    await using _ = server;
    const { totals } = await load(url("/"), "-c", "2", "-n", "10", "--no-keepalive");
    expect(totals).toMatchObject({ done: 10, failed: 0, opened: 10 });
    expect(state.opened).toBe(10);
  });

  test("a handshake that fails says why", async () => {
    const { server, url } = sockets();
    await using _ = server;
    expect((await load(url("/plain"), "-c", "1", "-n", "2")).failures).toEqual({ status: 2 });
    using target = new Target();
    const garbage = await load(`${target.url.replace("http", "ws")}/garbage`, "-c", "1", "-n", "2");
    expect(garbage.failures).toEqual({ malformed: 2 });
    await using secure = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: selfSigned("other.test"),
      fetch: (request, own) => (own.upgrade(request) ? undefined : new Response("no")),
      websocket: { message: (socket, message) => void socket.send(message) },
    });
    const wss = `wss://localhost:${secure.port}/`;
    expect((await load(wss, "-c", "1", "-n", "2")).failures).toEqual({ tls: 2 });
    expect((await load(wss, "-c", "1", "-n", "2", "-k")).totals.failed).toBe(0);
  });
});
