import { expect, test } from "bun:test";
import type { Socket } from "bun";
import { Connection, type ConnectionShared } from "./connection.ts";
import { matcher } from "./expect.ts";
import type { Link, LinkOwner } from "./link.ts";
import { Random } from "./random.ts";
import { Recorder } from "./recorder.ts";
import { HeadMemory } from "./response.ts";

const shared: ConnectionShared = {
  recorder: new Recorder([]),
  memory: new HeadMemory(),
  random: new Random(1),
  matcher: matcher({ statuses: [], length: null, text: null, pattern: null }),
  keepAlive: true,
  ca: null,
};

/** A listener that tells from where somebody came, and when it was reset. */
function service() {
  const came = Promise.withResolvers<string>();
  const reset = Promise.withResolvers<boolean>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket: Socket) => came.resolve(`${socket.remoteAddress}:${socket.remotePort}`),
      data: () => {},
      end: () => reset.resolve(false),
      close: () => reset.resolve(true),
      error: () => reset.resolve(true),
    },
  });
  return {
    port: server.port,
    came: came.promise,
    reset: reset.promise,
    [Symbol.dispose]: () => server.stop(true),
  };
}

async function connected(port: number, from: { host: string; port: number }): Promise<Link> {
  const ready = Promise.withResolvers<Link>();
  const owner: LinkOwner = {
    ready: (link) => ready.resolve(link),
    ended: () => {},
    gone: (_link, failure) => ready.reject(new Error(`gone: ${failure}`)),
  };
  const to = { host: "127.0.0.1", port };
  new Connection(
    { origin: 0, plan: { tls: null, destinations: [to], sources: [] }, to, from },
    shared,
    owner,
  );
  return ready.promise;
}

test("comes from the port that it was given, and gives it back at once", async () => {
  using target = service();
  // One that is free now.
  const free = Bun.listen({ hostname: "127.0.0.2", port: 0, socket: { data: () => {} } });
  const { port } = free;
  free.stop(true);
  const link = await connected(target.port, { host: "127.0.0.2", port });
  expect(await target.came).toBe(`127.0.0.2:${port}`);
  link.close();
  expect(await target.reset).toBe(true);
  // With TIME_WAIT on it, it could not be had again for a minute.
  using again = service();
  (await connected(again.port, { host: "127.0.0.2", port })).close();
  expect(await again.came).toBe(`127.0.0.2:${port}`);
});

test("comes from another port when the one that it was given is taken", async () => {
  using target = service();
  const other = Bun.listen({ hostname: "127.0.0.2", port: 0, socket: { data: () => {} } });
  try {
    const link = await connected(target.port, { host: "127.0.0.2", port: other.port });
    const from = await target.came;
    expect(from).toStartWith("127.0.0.2:");
    expect(from).not.toBe(`127.0.0.2:${other.port}`);
    link.close();
  } finally {
    other.stop(true);
  }
});
