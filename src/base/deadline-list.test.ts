import { expect, test } from "bun:test";
import { DeadlineList, type DeadlineNode } from "./deadline-list.ts";

class Node implements DeadlineNode {
  dueAt = 0;
  duePrev: DeadlineNode | null = null;
  dueNext: DeadlineNode | null = null;
  dueIn: DeadlineList | null = null;
  constructor(readonly name: string) {}
}

test("expires in order of entry, without those that left, and goes on with later ones", async () => {
  const expired: string[] = [];
  let wake = Promise.withResolvers<void>();
  const list = new DeadlineList(20, (node) => {
    expired.push((node as Node).name);
    wake.resolve();
  });
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => new Node(name)) as [Node, Node, Node, Node];
  // One moment for all: entries of different moments may be due in different ticks.
  const entered = performance.now();
  for (const node of [a, b, c]) list.enter(node, entered);
  DeadlineList.leave(b);
  DeadlineList.leave(b);
  await wake.promise;
  expect(expired).toEqual(["a", "c"]);
  expect([a.dueIn, b.dueIn, c.dueIn]).toEqual([null, null, null]);
  wake = Promise.withResolvers();
  list.enter(d, performance.now());
  await wake.promise;
  expect(expired).toEqual(["a", "c", "d"]);
});

test("none expires before its time", async () => {
  const entered = performance.now();
  const { promise, resolve } = Promise.withResolvers<number>();
  new DeadlineList(30, () => resolve(performance.now())).enter(new Node("a"), entered);
  expect((await promise) - entered).toBeGreaterThanOrEqual(30);
});
