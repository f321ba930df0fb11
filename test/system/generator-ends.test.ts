/** `headrace load` comes to an end, whatever the service and the number of processes do to it. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Socket } from "bun";
import { load, loadUntil } from "./generator.ts";
import { PATIENCE_MS } from "./harness.ts";
import { Target } from "./target.ts";

setDefaultTimeout(PATIENCE_MS * 2);

test("fewer connections than processes, or fewer requests", async () => {
  using target = new Target();
  const one = await load(`${target.url}/ok`, "-c", "1", "-n", "20", "-P", "2");
  expect([one.status, one.result.totals.done, one.result.plan.processes]).toEqual([0, 20, 1]);
  const few = await load(`${target.url}/ok`, "-c", "4", "-n", "1", "-P", "2");
  expect([few.status, few.result.totals.done, few.result.plan.processes]).toEqual([0, 1, 2]);
  const held = await load(`${target.url}/ok`, "-c", "1", "--hold", "100ms", "-P", "2");
  expect([held.status, held.result.totals.done]).toEqual([0, 2]);
  const open = await load(`${target.url}/ok`, "-r", "20", "-d", "1s", "--max-connections", "1", "-P", "3");
  expect(open.result.plan.processes).toBe(1);
  // Also of a run that is shorter than the second between two looks.
  expect([one, few, held, open].map(({ result }) => result.totals.maxConnections)).toEqual([1, 1, 1, 1]);
  expect(one.result.totals.maxInFlight).toBe(1);
});

test("an interrupt after one of two processes has ended", async () => {
  using target = new Target();
  // The only request belongs to the first process; the second is done as soon as it begins.
  const args = [`${target.url}/never`, "-r", "1", "-d", "1s", "-P", "2", "--timeout", "60s"];
  const done = async (stderr: () => string) => {
    while (target.seen.length < 1) await Bun.sleep(10);
    // Told once a second: by now the schedule is over.
    while (!/^ +2s /m.test(stderr())) await Bun.sleep(10);
  };
  const { status, result, stderr } = await loadUntil(done, "SIGINT", args);
  expect([status, result.failures]).toEqual([105, { unfinished: 1 }]);
  expect(stderr).not.toContain("Subprocess");
});

test("a hold of a service that keeps no connection ends, and tells each loss", async () => {
  using target = new Target();
  const { result } = await load(`${target.url}/bye`, "-c", "5", "--hold", "500ms");
  expect(result.totals).toMatchObject({ opened: 5, done: 10, failed: 5 });
  expect(result.failures).toEqual({ closed: 5 });
});

test("a hold of a service that resets what is held ends, and tells each loss", async () => {
  const held = new Set<Socket<null>>();
  using server = Bun.listen<null>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        held.add(socket);
        if (held.size === 8) for (const each of held) each.terminate();
      },
    },
  });
  const { result } = await load(
    `http://127.0.0.1:${server.port}/`,
    "-c",
    "8",
    "--hold",
    "1s",
    "--rate",
    "1",
    "--timeout",
    "3s",
  );
  // The last answer may have been lost with its connection; then its request tells it.
  const { closed = 0, reset = 0 } = result.failures;
  expect(closed + reset).toBe(8);
  expect(closed).toBeGreaterThanOrEqual(7);
  expect(result.totals.opened).toBe(8);
});
