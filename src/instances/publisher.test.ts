import { expect, test } from "bun:test";
import type { Route } from "./ports.ts";
import { Publisher } from "./publisher.ts";

/** A publisher whose acknowledgements the test gives. */
function setUp() {
  let list: readonly Route[] = [];
  const published: string[] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  const failures: string[] = [];
  const publisher = new Publisher(
    () => list,
    (routes) => {
      published.push(routes.map(({ id }) => id).join(" "));
      const answer = Promise.withResolvers<void>();
      waiting.push(answer);
      return answer.promise;
    },
    (message) => failures.push(message),
  );
  return {
    publisher,
    published,
    failures,
    waiting,
    set: (...ids: readonly string[]) => {
      list = ids.map((id, row) => ({ id, row, socket: `/run/${id}`, generation: 1, readyAt: 0, phases: {} }));
    },
  };
}

/** Lets everything run that is ready to. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test("changes of one turn go out in one list", async () => {
  const { publisher, published, waiting, set } = setUp();
  set("a");
  const one = publisher.sync();
  set("a", "b");
  const two = publisher.sync();
  await settle();
  expect(published).toEqual(["a b"]);
  waiting[0]!.resolve();
  await Promise.all([one, two]);
});

test("a call during a publication waits for one that is newer, and calls share it", async () => {
  const { publisher, published, waiting, set } = setUp();
  set("a");
  const first = publisher.sync();
  await settle();
  set("a", "b");
  let acknowledged = 0;
  const later = [publisher.sync(), publisher.sync()].map((each) => each.then(() => acknowledged++));
  waiting[0]!.resolve();
  await first;
  await settle();
  expect(published).toEqual(["a", "a b"]);
  expect(acknowledged).toBe(0);
  waiting[1]!.resolve();
  await Promise.all(later);
  expect(acknowledged).toBe(2);
});

test("a list that is acknowledged is not published again; one that failed is", async () => {
  const { publisher, published, waiting, failures, set } = setUp();
  set("a");
  const failing = publisher.sync();
  await settle();
  waiting[0]!.reject(new Error("no gateway answered"));
  await failing;
  expect(failures).toEqual(["no gateway answered"]);
  const again = publisher.sync();
  await settle();
  waiting[1]!.resolve();
  await again;
  await publisher.sync();
  expect(published).toEqual(["a", "a"]);
});
