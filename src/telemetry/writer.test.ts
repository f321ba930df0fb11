import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemCode } from "../base/errors.ts";
import { ReleaseStack } from "../base/release.ts";
import { type LineWriterOptions, lineWriter } from "./writer.ts";

const options: LineWriterOptions = { lingerMs: 0, dropped: (count) => `dropped ${count}\n` };
/** Far more than a test needs: only a hang gets here. */
const PATIENCE_MS = 20_000;

let folder: string;
let release: ReleaseStack;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "headrace-writer-"));
  release = new ReleaseStack();
  release.push(() => rmSync(folder, { recursive: true }));
});

afterEach(() => release.release());

/** Both ends of a pipe. The reading end does not block. */
function pipe(): { readonly reader: number; readonly writer: number } {
  const path = join(folder, "pipe");
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  release.push(() => closeSync(writer));
  return { reader, writer };
}

/** Reads what comes until `done`, without ever blocking the loop. */
async function readUntil(fd: number, done: () => boolean): Promise<string> {
  const chunk = Buffer.alloc(65_536);
  const parts: Buffer[] = [];
  for (;;) {
    let length = 0;
    try {
      length = readSync(fd, chunk);
    } catch (error) {
      if (systemCode(error) !== "EAGAIN") throw error;
    }
    parts.push(Buffer.from(chunk.subarray(0, length)));
    if (length === 0) {
      if (done()) return Buffer.concat(parts).toString("utf8");
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function lines(name: string, count: number, width: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index} ${"x".repeat((index * 7) % width)}\n`);
}

test("a file gets every line in order", async () => {
  const path = join(folder, "file");
  const fd = openSync(path, "w");
  const writer = lineWriter(fd, options);
  const all = lines("file", 5_000, 300);
  for (const [at, line] of all.entries()) writer.write(at % 2 === 0 ? line : Buffer.from(line));
  expect(await writer.close(PATIENCE_MS)).toBe(true);
  closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe(all.join(""));
});

test("lines reach the reader without anybody asking for them", async () => {
  const { reader, writer: fd } = pipe();
  const writer = lineWriter(fd, options);
  writer.write("one\n");
  let seen = "";
  const chunk = Buffer.alloc(100);
  while (seen === "") {
    await new Promise((resolve) => setImmediate(resolve));
    try {
      seen = chunk.toString("utf8", 0, readSync(reader, chunk));
    } catch (error) {
      expect(systemCode(error)).toBe("EAGAIN");
    }
  }
  expect(seen).toBe("one\n");
  expect(await writer.close(PATIENCE_MS)).toBe(true);
  closeSync(reader);
});

describe("a pipe whose reader is slow", () => {
  test("does not hold up whoever writes, and loses nothing", async () => {
    const { reader, writer: fd } = pipe();
    const writer = lineWriter(fd, options);
    const all = lines("slow", 20_000, 200);
    for (const line of all) writer.write(line);
    writer.flushNow();
    let closed = false;
    const closing = writer.close(PATIENCE_MS).then((whole) => {
      closed = true;
      return whole;
    });
    expect(await readUntil(reader, () => closed)).toBe(all.join(""));
    expect(await closing).toBe(true);
    closeSync(reader);
  });

  test("costs lines beyond the buffer, and says how many", async () => {
    const { reader, writer: fd } = pipe();
    const writer = lineWriter(fd, { ...options, maxBuffered: 10_000 });
    const line = `${"y".repeat(999)}\n`;
    for (let count = 0; count < 200; count++) {
      writer.write(line);
      writer.flushNow();
    }
    let closed = false;
    const closing = writer.close(PATIENCE_MS).then(() => {
      closed = true;
    });
    const seen = (await readUntil(reader, () => closed)).split("\n").filter((text) => text !== "");
    await closing;
    const whole = seen.filter((text) => text === "y".repeat(999)).length;
    const dropped = seen.filter((text) => text.startsWith("dropped "));
    expect(whole + dropped.reduce((sum, text) => sum + Number(text.slice(8)), 0)).toBe(200);
    expect(dropped.length).toBeGreaterThan(0);
    expect(whole + dropped.length).toBe(seen.length);
    closeSync(reader);
  });

  test("is given up on at the deadline", async () => {
    const { reader, writer: fd } = pipe();
    const writer = lineWriter(fd, options);
    for (const line of lines("stuck", 5_000, 200)) writer.write(line);
    expect(await writer.close(30)).toBe(false);
    // Frees the thread that still waits in a write.
    closeSync(reader);
  });
});

test("lines of several writers on one pipe are never torn", async () => {
  const { reader, writer: fd } = pipe();
  const names = ["a", "b", "c"];
  const writers = names.map(() => lineWriter(fd, options));
  const sent = names.map((name) => lines(name, 3_000, 400));
  let open = writers.length;
  const closings = writers.map(async (writer, index) => {
    for (const [at, line] of sent[index]!.entries()) {
      writer.write(line);
      if (at % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await writer.close(PATIENCE_MS)).toBe(true);
    open--;
  });
  const seen = (await readUntil(reader, () => open === 0)).split(/(?<=\n)/);
  await Promise.all(closings);
  for (const [index, name] of names.entries()) {
    expect(seen.filter((line) => line.startsWith(`${name} `))).toEqual(sent[index]!);
  }
  expect(seen.length).toBe(9_000);
  closeSync(reader);
});

test("a line longer than what a pipe takes at once goes through whole", async () => {
  const { reader, writer: fd } = pipe();
  const writer = lineWriter(fd, options);
  const all = ["short\n", `${"é".repeat(200_000)}\n`, "end\n"];
  for (const line of all) writer.write(line);
  let closed = false;
  const closing = writer.close(PATIENCE_MS).then(() => {
    closed = true;
  });
  expect(await readUntil(reader, () => closed)).toBe(all.join(""));
  await closing;
  closeSync(reader);
});

test("a reader that is gone is no error", async () => {
  const { reader, writer: fd } = pipe();
  const writer = lineWriter(fd, options);
  closeSync(reader);
  writer.write("to nobody\n");
  writer.flushNow();
  writer.write("nor this\n");
  expect(await writer.close(PATIENCE_MS)).toBe(true);
});

test("a child's stdout, whatever it is, gets every line before the child ends", async () => {
  const script = join(folder, "child.ts");
  const source = `import { lineWriter } from ${JSON.stringify(join(import.meta.dir, "writer.ts"))};
const writer = lineWriter(1, { lingerMs: 5, dropped: (count) => "dropped " + count });
for (let index = 0; index < 20000; index++) writer.write("line " + index + "\\n");
process.exit((await writer.close(${PATIENCE_MS})) ? 0 : 1);`;
  await Bun.write(script, source);
  const child = Bun.spawn([process.execPath, script], { stdout: "pipe" });
  const text = await child.stdout.text();
  expect(await child.exited).toBe(0);
  expect(text).toBe(Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`).join(""));
});
