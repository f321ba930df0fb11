import { describe, expect, test } from "bun:test";
import { joinPairs } from "../../protocol/fields.ts";
import { type Home, KeyAffinity, loadBound, StickyAffinity } from "./affinity.ts";
import { requestKey } from "./key.ts";
import { Ring } from "./ring.ts";

class Instance implements Home {
  inFlight = 0;
  constructor(
    readonly id: string,
    readonly slots = 1_000_000,
  ) {}
}

const named = (count: number, slots?: number) =>
  Array.from({ length: count }, (_, i) => new Instance(`api-1-${i}`, slots));
const KEYS = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);

/** Numbers that look random, the same in every run (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Who has which key, on a ring with these members and nothing in flight. */
function owners(ring: Ring<Instance>): string[] {
  return KEYS.map((key) => ring.find(key, () => true)!.id);
}

describe("a ring", () => {
  test("gives every member a fair share", () => {
    for (const count of [2, 3, 10, 50]) {
      const ring = new Ring<Instance>();
      ring.set(named(count));
      const shares = new Map<string, number>();
      for (const owner of owners(ring)) shares.set(owner, (shares.get(owner) ?? 0) + 1);
      expect(shares.size).toBe(count);
      const fair = KEYS.length / count;
      for (const share of shares.values()) expect(share).toBeWithin(fair * 0.5, fair * 1.6);
    }
  });

  test("moves only the keys of who comes or goes, whatever the order, and is a function of its members", () => {
    const next = random(7);
    const ring = new Ring<Instance>();
    let members = named(5);
    let count = members.length;
    ring.set(members);
    let before = owners(ring);
    for (let step = 0; step < 40; step++) {
      const grows = members.length < 2 || next() < 0.5;
      const changed = grows
        ? new Instance(`api-1-${count++}`)
        : members[Math.floor(next() * members.length)]!;
      members = grows ? [...members, changed] : members.filter((member) => member !== changed);
      // The order in which they are named says nothing.
      members.sort(() => next() - 0.5);
      ring.set(members);
      const after = owners(ring);
      let moved = 0;
      for (const [i, owner] of after.entries()) {
        if (owner === before[i]) continue;
        moved++;
        expect(grows ? owner : before[i]).toBe(changed.id);
      }
      const fair = KEYS.length / (grows ? members.length : members.length + 1);
      expect(moved).toBeWithin(1, fair * 2);
      const other = new Ring<Instance>();
      other.set([...members].reverse());
      expect(owners(other)).toEqual(after);
      before = after;
    }
  });

  test("is exchanged whole: all new, and none", () => {
    const ring = new Ring<Instance>();
    ring.set(named(3));
    const others = [new Instance("b-1"), new Instance("b-2")];
    ring.set(others);
    expect(new Set(owners(ring))).toEqual(new Set(["b-1", "b-2"]));
    ring.set([]);
    expect(ring.find("a", () => true)).toBeNull();
    // The same name, another connection: the new one is found.
    const again = new Instance("b-1");
    ring.set([others[0]!]);
    ring.set([again]);
    expect(ring.find("a", () => true)).toBe(again);
  });
});

describe("affinity by key", () => {
  test("keeps a key where it is while the load allows", () => {
    const affinity = new KeyAffinity<Instance>(1.25);
    affinity.set(named(10));
    for (const key of KEYS.slice(0, 100)) {
      const home = affinity.pick(key);
      for (let i = 0; i < 3; i++) expect(affinity.pick(key)).toBe(home);
    }
  });

  test("never lets an instance have more than the bound, with every key on one", () => {
    const next = random(3);
    for (const factor of [1.05, 1.25, 2]) {
      for (const count of [1, 3, 10]) {
        const instances = named(count);
        const affinity = new KeyAffinity<Instance>(factor);
        affinity.set(instances);
        let inFlight = 0;
        for (let step = 0; step < 500; step++) {
          if (next() < 0.3 && inFlight > 0) {
            const busy = instances.filter((instance) => instance.inFlight > 0);
            busy[Math.floor(next() * busy.length)]!.inFlight--;
            inFlight--;
            continue;
          }
          const bound = loadBound(factor, inFlight, count);
          const home = affinity.pick(next() < 0.8 ? "hot" : `k${Math.floor(next() * 50)}`)!;
          expect(home.inFlight).toBeLessThan(bound);
          home.inFlight++;
          inFlight++;
        }
      }
    }
  });

  test("goes to the next on the ring when the instance is full, and back", () => {
    const instances = named(4, 1);
    const affinity = new KeyAffinity<Instance>(0);
    affinity.set(instances);
    const order: Instance[] = [];
    for (let i = 0; i < 4; i++) {
      const home = affinity.pick("k")!;
      expect(order).not.toContain(home);
      order.push(home);
      home.inFlight = 1;
    }
    expect(affinity.pick("k")).toBeNull();
    order[2]!.inFlight = 0;
    expect(affinity.pick("k")).toBe(order[2]!);
    order[0]!.inFlight = 0;
    expect(affinity.pick("k")).toBe(order[0]!);
  });

  test("comes to the same answer wherever the same is known", () => {
    const instances = named(20, 3);
    const [one, other] = [new KeyAffinity<Instance>(1.25), new KeyAffinity<Instance>(1.25)];
    one.set(instances);
    other.set(named(30).slice(5));
    other.set([...instances].reverse());
    for (let i = 0; i < 60; i++) {
      const home = one.pick(`k${i % 7}`);
      expect(other.pick(`k${i % 7}`)).toBe(home);
      home!.inFlight++;
    }
    expect(one.pick("k")).toBeNull();
  });
});

describe("sticky affinity", () => {
  const sticky = (secret: string, instances: readonly Instance[]) => {
    const affinity = new StickyAffinity<Instance>({ kind: "sticky", cookie: "home", secret });
    affinity.set(instances);
    return affinity;
  };
  const tokenIn = (cookie: string) =>
    /^home=([0-9a-f]{32}); Path=\/; HttpOnly; SameSite=Lax(; Secure)?$/.exec(cookie)![1]!;

  test("gives a token that leads back, in every process with the secret", () => {
    const instances = named(3);
    const [one, other] = [sticky("s", instances), sticky("s", [...instances].reverse())];
    const tokens = instances.map(({ id }) => tokenIn(one.setCookie("", id, false)));
    expect(new Set(tokens).size).toBe(3);
    expect(tokens.map((token) => other.pick(token))).toEqual(instances);
    expect(one.setCookie("", "api-1-0", true)).toEndWith("; Secure");
    // Another revision, or another run.
    expect(sticky("t", instances).pick(tokens[0]!)).toBeNull();
    expect(tokens.join()).not.toContain("api");
  });

  test("gives a new one only when the old one leads nowhere", () => {
    const instances = named(2, 1);
    const affinity = sticky("s", instances);
    const token = tokenIn(affinity.setCookie("", "api-1-0", false));
    expect(affinity.setCookie(token, "api-1-0", false)).toBe("");
    instances[0]!.inFlight = 1;
    // Full: for this once any other does.
    expect(affinity.pick(token)).toBeNull();
    expect(affinity.setCookie(token, "api-1-1", false)).toBe("");
    affinity.set([instances[1]!]);
    expect(affinity.pick(token)).toBeNull();
    expect(tokenIn(affinity.setCookie(token, "api-1-1", false))).not.toBe(token);
    // The instance that answered goes as well: there is nothing to come back to.
    expect(affinity.setCookie("", "api-1-0", false)).toBe("");
  });
});

test("a key stands in a header, a cookie or the query", () => {
  const fields = joinPairs([
    ["x-user-id", "u 1"],
    ["cookie", "a=1; session = x ;b=2"],
    ["cookie", "late=3"],
  ]);
  const key = (by: "header" | "cookie" | "query", name: string, target = "/") =>
    requestKey(Buffer.from(target), fields, { by, name });
  expect([key("header", "x-user-id"), key("header", "x-else")]).toEqual(["u 1", ""]);
  expect([key("cookie", "session"), key("cookie", "late"), key("cookie", "sess")]).toEqual(["x", "3", ""]);
  expect(requestKey(Buffer.from("/"), new Uint8Array(0), { by: "cookie", name: "a" })).toBe("");
  expect([
    key("query", "u", "/x?a=1&u=7"),
    key("query", "u", "/x?u=%37&u=8"),
    key("query", "u", "/u=7"),
  ]).toEqual(["7", "7", ""]);
  expect([
    key("query", "u", "/?u=a+b"),
    key("query", "u", "/?u=a%20b"),
    key("query", "u", "/?u=%zz"),
  ]).toEqual(["a b", "a b", "%zz"]);
});
