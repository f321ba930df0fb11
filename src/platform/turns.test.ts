import { describe, expect, test } from "bun:test";
import { HeadraceError } from "../base/errors.ts";
import { type Turn, Turns, type Work } from "./turns.ts";

/** Work that notes when it begins, and goes on when it is told to. */
function world() {
  const turns = new Turns();
  const begun: string[] = [];
  const ended: string[] = [];
  const go = (
    what: string,
    service: string | null,
    more: Partial<Work> = {},
    starts: readonly string[] = [],
  ) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const run = async (turn: Turn) => {
      begun.push(what);
      if (starts.length > 0) turn.starts(new Set(starts));
      const given = new Promise<never>((_, reject) => {
        const give = () => reject(turn.signal.reason);
        if (turn.signal.aborted) give();
        turn.signal.addEventListener("abort", give);
      });
      await Promise.race([promise, given]);
      turn.commits();
    };
    const over = turns.take({ what, service, ...more }, run).then(
      () => ended.push(what),
      (error: Error) => ended.push(`${what}: ${error.message}`),
    );
    return { resolve, over };
  };
  const settle = () => Bun.sleep(0);
  return { turns, begun, ended, go, settle };
}

describe("turns", () => {
  test("of a service are one at a time and in their order, those of others are at the same time", async () => {
    const { begun, go, settle } = world();
    const first = go("a1", "a", {}, ["a"]);
    go("a2", "a");
    go("b1", "b");
    await settle();
    expect(begun).toEqual(["a1", "b1"]);
    first.resolve();
    await settle();
    expect(begun).toEqual(["a1", "b1", "a2"]);
  });

  test("of all wait until nothing changes, hold nobody up meanwhile, and keep what they change", async () => {
    const { begun, go, settle } = world();
    const first = go("a1", "a", {}, ["a"]);
    const file = go("file", null, {}, ["a"]);
    const other = go("b1", "b");
    await settle();
    expect(begun).toEqual(["a1", "b1"]);
    first.resolve();
    other.resolve();
    await settle();
    expect(begun).toEqual(["a1", "b1", "file"]);
    go("a2", "a");
    go("b2", "b");
    await settle();
    expect(begun).toEqual(["a1", "b1", "file", "b2"]);
    file.resolve();
    await settle();
    expect(begun.at(-1)).toBe("a2");
  });

  test("that are urgent go first, and what is started for the same service gives up", async () => {
    const { begun, ended, go, settle } = world();
    go("the deploy of a", "a", {}, ["a"]);
    const other = go("the deploy of b", "b", {}, ["b"]);
    const file = go("the file", null);
    go("the second deploy of a", "a");
    const rollback = go("the rollback of a", "a", { urgent: true });
    await settle();
    expect(ended.sort()).toEqual([
      "the deploy of a: The deploy of a was given up before it held, for the rollback of a.",
      "the second deploy of a: The second deploy of a was given up before it held, for the rollback of a.",
    ]);
    expect(begun).toEqual(["the deploy of a", "the deploy of b", "the rollback of a"]);
    rollback.resolve();
    other.resolve();
    file.resolve();
    await settle();
    expect(ended.slice(2)).toEqual(["the rollback of a", "the deploy of b", "the file"]);
  });

  test("that have not said yet what they start are given up once they do", async () => {
    const { turns, ended, go, settle } = world();
    const { promise, resolve } = Promise.withResolvers<void>();
    const deploy = turns.take({ what: "the deploy of a", service: "a" }, async (turn) => {
      await promise;
      turn.starts(new Set(["a"]));
      turn.commits();
    });
    deploy.catch(() => {});
    go("the stop of a", "a", { urgent: true }).resolve();
    await settle();
    expect(ended).toEqual([]);
    resolve();
    expect(deploy).rejects.toThrow("The deploy of a was given up before it held, for the stop of a.");
    await settle();
    expect(ended).toEqual(["the stop of a"]);
  });

  test("that nobody waits for any more are left, but not once they have begun", async () => {
    const { begun, ended, go, settle } = world();
    const client = new AbortController();
    const first = go("a1", "a", { client: client.signal });
    go("a2", "a", { client: client.signal });
    const third = go("a3", "a");
    client.abort();
    go("b1", "b", { client: client.signal });
    await settle();
    first.resolve();
    third.resolve();
    await settle();
    expect(begun).toEqual(["a1", "a3"]);
    const left = (what: string) => `${what}: Nobody waits for ${what} any more, so it was left.`;
    expect(ended.toSorted()).toEqual(["a1", left("a2"), "a3", left("b1")]);
  });

  test("end with the application", async () => {
    const { turns, ended, go, settle } = world();
    go("a1", "a", {}, ["a"]);
    go("a2", "a");
    await settle();
    turns.close(new HeadraceError("start_cancelled", "Headrace is stopping."));
    go("b1", "b");
    await settle();
    expect(ended.sort()).toEqual(["a1", "a2", "b1"].map((what) => `${what}: Headrace is stopping.`));
  });
});
