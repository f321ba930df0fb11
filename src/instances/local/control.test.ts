import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Journal } from "../testkit.ts";
import { ControlServer } from "./control.ts";
import { LogServer } from "./logs.ts";
import { parseMessage } from "./messages.ts";

let dir = "";
let server: ControlServer;
let heard = new Journal<string>();

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hr-control-"));
  heard = new Journal();
  server = new ControlServer(join(dir, "control"), (why) => heard.push(`refused: ${why}`));
});

afterEach(() => {
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

const seen = (entry: string) => heard.until((each) => each === entry, entry);

function expectOne(id: string, role: "instance" | "zygote" = "instance") {
  return server.expect(id, "secret", role, {
    connected: (hello) => heard.push(`connected ${hello.pid}`),
    message: (message) => heard.push(message.type),
    closed: () => heard.push("closed"),
  });
}

async function connect(path: string, ...chunks: readonly string[]) {
  const received = new Journal<string>();
  const socket = await Bun.connect({
    unix: path,
    socket: {
      data: (_, chunk) => received.push(Buffer.from(chunk).toString()),
      close: () => received.push("closed"),
    },
  });
  for (const chunk of chunks) {
    socket.write(chunk);
    socket.flush();
  }
  return { socket, received };
}

const hello = (id: string, token = "secret", role = "instance") =>
  `${JSON.stringify({ type: "hello", id, token, pid: 5, role })}\n`;

test("messages go both ways once hello is said, whatever the chunks", async () => {
  const link = expectOne("i-1");
  expect(link.send({ type: "drain" })).toBe(false);
  const { socket, received } = await connect(
    server.path,
    hello("i-1").slice(0, 9),
    hello("i-1").slice(9),
    '{"type":',
  );
  await seen("connected 5");
  socket.write('"idle"}\n{"type":"nothing we know"}\nno json\n{"type":"stopped"}\n');
  await seen("stopped");
  expect(heard.entries).toEqual(["connected 5", "idle", "stopped"]);
  expect(link.send({ type: "stop", timeout_ms: 7 })).toBe(true);
  await received.until((text) => text.includes('{"type":"stop","timeout_ms":7}\n'));
  socket.end();
  await seen("closed");
  expect(link.send({ type: "drain" })).toBe(false);
});

const refusals: readonly (readonly [what: string, first: string, why: string])[] = [
  ["a wrong token", hello("i-1", "guess"), "wrong token for i-1"],
  ["an unknown id", hello("i-9"), "nothing named i-9 is expected"],
  ["another role", hello("i-1", "secret", "zygote"), "i-1 is no zygote"],
  ["another first message", '{"type":"idle"}\n', "its first line was no hello"],
  ["no message at all", "GET / HTTP/1.1\r\n\r\n", "its first line was no hello"],
];
for (const [what, first, why] of refusals) {
  test(`${what} closes the connection`, async () => {
    expectOne("i-1");
    const { received } = await connect(server.path, first);
    await seen(`refused: ${why}`);
    await received.until((text) => text === "closed");
    expect(heard.entries).toEqual([`refused: ${why}`]);
  });
}

test("a second connection of one process is refused, the first stays", async () => {
  const link = expectOne("i-1");
  await connect(server.path, hello("i-1"));
  await seen("connected 5");
  await connect(server.path, hello("i-1"));
  await seen("refused: i-1 is connected already");
  expect(link.send({ type: "stats" })).toBe(true);
});

test("dropping a process ends its connection", async () => {
  const link = expectOne("i-1");
  const { received } = await connect(server.path, hello("i-1"));
  await seen("connected 5");
  link.drop();
  await received.until((text) => text === "closed");
});

test("a message that is larger than a socket's buffer arrives whole", async () => {
  const link = expectOne("z-1", "zygote");
  const { received } = await connect(server.path, hello("z-1", "secret", "zygote"));
  await seen("connected 5");
  const size = 900_000;
  const boot = { id: "x".repeat(size) } as never;
  link.send({ type: "fork", id: "i-2", boot });
  link.send({ type: "fork", id: "i-3", boot });
  await received.until(() => received.entries.join("").length > 2 * size);
  const lines = received.entries.join("").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).id)).toEqual(["i-2", "i-3"]);
});

test("log lines are taken from who has the token, and from nobody else", async () => {
  const logs = new LogServer(join(dir, "logs"));
  try {
    logs.expect("i-1", "secret", ({ stream, requestId, line }) =>
      heard.push(`${stream} ${requestId} ${line}`),
    );
    const first = (token: string, stream: string) => `${JSON.stringify({ id: "i-1", token, stream })}\n`;
    const { socket } = await connect(logs.path, `${first("secret", "stderr")}one\n\x1er-7\x1ftwo`);
    await seen("stderr  one");
    expect(logs.isConnected("i-1")).toBe(false);
    const ended = logs.ended("i-1").then(() => heard.push("ended"));
    socket.end();
    await seen("stderr r-7 two");
    const second = await connect(logs.path, `${first("secret", "stdout")}three`);
    second.socket.end();
    await ended;
    expect(logs.isConnected("i-1")).toBe(true);
    for (const bad of [first("guess", "stdout"), first("secret", "stdin"), "hello\n"]) {
      const { received } = await connect(logs.path, `${bad}four\n`);
      await received.until((text) => text === "closed");
    }
    expect(heard.entries).toEqual(["stderr  one", "stderr r-7 two", "stdout  three", "ended"]);
  } finally {
    logs.close();
  }
});

test("messages with missing or wrong keys are read as far as they make sense", () => {
  expect(parseMessage("[]")).toBeUndefined();
  expect(parseMessage('{"type":"toString"}')).toBeUndefined();
  expect(parseMessage('{"type":"hello"}')).toBeUndefined();
  expect(parseMessage('{"type":"preflight","level":"half"}')).toBeUndefined();
  expect(parseMessage('{"type":"ready","phases":{"import":3,"x":"y"}}')).toMatchObject({
    phases: { import: 3 },
  });
  expect(parseMessage('{"type":"exited","id":"a","pid":1,"status":null,"signal":9}')).toEqual({
    type: "exited",
    id: "a",
    pid: 1,
    status: null,
    signal: 9,
  });
  expect(
    parseMessage('{"type":"preflight","level":"off","findings":[null,{"kind":"thread"}],"modules":[1,"a"]}'),
  ).toEqual({
    type: "preflight",
    level: "off",
    findings: [
      { kind: "", module: "", detail: "" },
      { kind: "thread", module: "", detail: "" },
    ],
    modules: ["a"],
  });
});
