import { expect, test } from "bun:test";
import { readEvents, type ServerEvent } from "./event-source.ts";

async function read(...chunks: (string | Uint8Array)[]): Promise<ServerEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks)
        controller.enqueue(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
      controller.close();
    },
  });
  return Array.fromAsync(readEvents(body));
}

test("events, however they are cut", async () => {
  const text = "id: 1\nevent: ready\ndata: one\n\n:\n\nid: 2\r\ndata: two\r\ndata: more\r\n\r\n";
  const events = [
    { id: "1", event: "ready", data: "one" },
    { id: "2", event: "message", data: "two\nmore" },
  ];
  expect(await read(text)).toEqual(events);
  expect(await read(...text)).toEqual(events);
});

test("a character may be cut in two", async () => {
  const bytes = new TextEncoder().encode("data: ü\n\n");
  expect(await read(bytes.slice(0, 7), bytes.slice(7))).toEqual([{ id: "", event: "message", data: "ü" }]);
});

test("an id stays until there is another; what did not end is left out", async () => {
  const events = await read("id: 7\ndata: a\n\ndata:b\n\nevent: x\ndata: c");
  expect(events).toEqual([
    { id: "7", event: "message", data: "a" },
    { id: "7", event: "message", data: "b" },
  ]);
});
