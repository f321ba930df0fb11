import { afterEach, expect, test } from "bun:test";
import { InternalPortBook } from "./internal-ports.ts";

const books: InternalPortBook[] = [];
afterEach(() => {
  for (const book of books.splice(0)) book.handOver();
});

function book(): InternalPortBook {
  const made = new InternalPortBook();
  books.push(made);
  return made;
}

/** Listens as a program would that shares with nobody. */
function taken(port: number): boolean {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, exclusive: true, socket: { data() {} } }).stop(true);
    return false;
  } catch {
    return true;
  }
}

test("each service has a port of its own, and there is one for all; nobody else gets them before the gateways do", () => {
  const own = book();
  own.reserve(["api", "legacy-api"]);
  const { shared, services } = own.ports;
  expect(services.map(({ service }) => service)).toEqual(["api", "legacy-api"]);
  const all = [shared, ...services.map(({ port }) => port)];
  expect(new Set(all).size).toBe(3);
  expect(own.env).toEqual({
    HEADRACE_URL: `http://127.0.0.1:${shared}`,
    HEADRACE_SERVICE_API_URL: `http://127.0.0.1:${all[1]}`,
    HEADRACE_SERVICE_LEGACY_API_URL: `http://127.0.0.1:${all[2]}`,
  });
  const held = process.platform === "linux";
  expect(all.map(taken)).toEqual(all.map(() => held));
  own.handOver();
  expect(all.map(taken)).toEqual([false, false, false]);
});

test("a port stays as long as its service does", () => {
  const own = book();
  own.reserve(["a", "b"]);
  const before = own.ports;
  own.handOver();
  own.reserve(["b", "c"]);
  expect(own.ports.services.slice(0, 2)).toEqual([...before.services]);
  own.keep(["b", "c"]);
  expect(own.ports.shared).toBe(before.shared);
  expect(own.ports.services.map(({ service }) => service)).toEqual(["b", "c"]);
  expect(own.ports.services[0]).toEqual(before.services[1]!);
});
