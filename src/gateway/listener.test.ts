import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request as requestHttps } from "node:https";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { flushAll } from "./flush.ts";
import { answerWhenComplete, GET, nothing } from "./http1/testing/recorder.ts";
import { client, folder, later, run, undoAfterEach } from "./http1/testing/running.ts";

const TLS = {
  tlsCert: readFileSync(join(import.meta.dir, "../../test/fixtures/tls/cert.pem"), "utf8"),
  tlsKey: readFileSync(join(import.meta.dir, "../../test/fixtures/tls/key.pem"), "utf8"),
};

undoAfterEach();

describe("TLS", () => {
  test("HTTP/1.1, with what was negotiated in peers", async () => {
    const running = await run(answerWhenComplete, {}, TLS);
    const text = await new Promise<string>((resolve, reject) => {
      const options = {
        host: "127.0.0.1",
        port: running.listener.port,
        rejectUnauthorized: false,
        agent: false as const,
      };
      const request = requestHttps(options, (response) => {
        response.setEncoding("utf8");
        response.on("data", resolve);
      });
      request.on("error", reject);
      request.end();
    });
    expect(text).toBe("GET / 0\n");
    const { peers } = running.requests[0]!.client;
    expect(peers.secure).toBe(true);
    expect(peers.tls).toMatch(/^77[12] [1-9]\d{3,4}$/);
  });

  test("HTTP/2 by ALPN", async () => {
    const running = await run(answerWhenComplete, {}, { ...TLS, http2: true });
    const session = connectHttp2(`https://127.0.0.1:${running.listener.port}`, { rejectUnauthorized: false });
    later(() => session.destroy());
    const text = await new Promise<string>((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":path": "/two" });
      stream.setEncoding("utf8");
      stream.on("data", resolve);
      stream.end();
    });
    expect(text).toBe("GET /two 0\n");
    expect(running.requests[0]!.head.version).toBe(20);
  });

  test("a handshake that does not come is cut off", async () => {
    const running = await run(answerWhenComplete, { headerTimeoutMs: 100 }, TLS);
    const raw = await client(running);
    await raw.until("close", () => raw.closed);
    await running.until("close", () => running.listener.connections() === 0);
  });

  test("clear text on the TLS port is closed", async () => {
    const running = await run(answerWhenComplete, {}, TLS);
    const raw = await client(running);
    await raw.send(GET);
    await raw.untilEnd();
    expect(running.requests).toEqual([]);
  });
});

test("HTTP/2 by prior knowledge", async () => {
  const running = await run(answerWhenComplete, {}, { http2: true });
  const session = connectHttp2(`http://127.0.0.1:${running.listener.port}`);
  later(() => session.destroy());
  const text = await new Promise<string>((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({ ":path": "/two" });
    stream.setEncoding("utf8");
    stream.on("data", resolve);
    stream.end();
  });
  expect(text).toBe("GET /two 0\n");
});

describe("listening", () => {
  test("a port in use", async () => {
    const running = await run();
    await expect(run(nothing, {}, { port: running.listener.port })).rejects.toMatchObject({
      code: "HR_LISTEN_IN_USE",
    });
  });

  test("two share a port when both are told to", async () => {
    const first = await run(answerWhenComplete, {}, { reusePort: true });
    const second = await run(answerWhenComplete, {}, { reusePort: true, port: first.listener.port });
    expect(second.listener.port).toBe(first.listener.port);
  });

  test("an address that is not ours, and a certificate that is none", async () => {
    await expect(run(nothing, {}, { host: "203.0.113.9" })).rejects.toMatchObject({
      code: "HR_LISTEN_ADDRESS",
    });
    await expect(run(nothing, {}, { host: "no.such.host.invalid" })).rejects.toMatchObject({
      code: "HR_LISTEN_ADDRESS",
    });
    await expect(run(nothing, {}, { ...TLS, tlsKey: "x" })).rejects.toMatchObject({
      code: "HR_LISTEN_CERTIFICATE",
    });
    await expect(run(nothing, {}, { ...TLS, tlsCert: "x" })).rejects.toMatchObject({
      code: "HR_LISTEN_CERTIFICATE",
    });
  });

  test("a Unix socket", async () => {
    const uds = join(folder(), "socket");
    const running = await run(answerWhenComplete, {}, { uds });
    const raw = await client(running);
    await raw.send(GET);
    await raw.untilText("GET / 0\n");
    expect(running.requests[0]!.client.peers).toMatchObject({
      clientHost: "",
      clientPort: 0,
      serverHost: uds,
    });
    await expect(run(nothing, {}, { uds })).rejects.toMatchObject({ code: "HR_LISTEN_IN_USE" });
  });

  test("a Unix socket that a dead process left behind is replaced, another file is not", async () => {
    const path = folder();
    const uds = join(path, "socket");
    const owner = Bun.spawn(
      [
        process.execPath,
        "-e",
        `Bun.listen({ unix: ${JSON.stringify(uds)}, socket: { data() {} } }); process.stdout.write("up")`,
      ],
      { stdout: "pipe" },
    );
    await owner.stdout.getReader().read();
    owner.kill(9);
    await owner.exited;
    expect(existsSync(uds)).toBe(true);
    const raw = await client(await run(answerWhenComplete, {}, { uds }));
    await raw.send(GET);
    await raw.untilText("GET / 0\n");
    const file = join(path, "file");
    writeFileSync(file, "precious");
    await expect(run(nothing, {}, { uds: file })).rejects.toMatchObject({ code: "HR_LISTEN_ADDRESS" });
    expect(readFileSync(file, "utf8")).toBe("precious");
  });
});

describe("drain", () => {
  test("idle connections close, busy ones answer and close, then it is done", async () => {
    const running = await run(nothing);
    const idle = await client(running);
    const busy = await client(running);
    await busy.send(GET);
    await running.until("request", () => running.requests.length === 1 && running.counts.opened === 2);
    const drained = running.listener.drain();
    await idle.untilEnd();
    idle.close();
    answerWhenComplete(running.requests[0]!);
    flushAll();
    await busy.untilEnd();
    expect(busy.text).toContain("connection: close\r\n");
    busy.close();
    await drained;
    expect([running.listener.connections(), running.counts.closed]).toEqual([0, 2]);
    const refused = await new Promise<boolean>((resolve) => {
      const late = connectTcp(running.listener.port, "127.0.0.1");
      late.on("connect", () => resolve(false));
      late.on("error", () => resolve(true));
    });
    expect(refused).toBe(true);
  });

  test("does not wait for a TLS handshake", async () => {
    const running = await run(nothing, { headerTimeoutMs: 0 }, TLS);
    const raw = await client(running);
    await running.until("connection", () => running.counts.opened === 1);
    await running.listener.drain();
    await raw.until("close", () => raw.closed);
  });

  test("close cuts what is left", async () => {
    const running = await run(nothing);
    const raw = await client(running);
    await raw.send(GET);
    await running.until("request", () => running.requests.length === 1);
    const drained = running.listener.drain();
    running.listener.close();
    await drained;
    expect(running.requests[0]!.goneFor).toBe("shutdown");
  });
});
