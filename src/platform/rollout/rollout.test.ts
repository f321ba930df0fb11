import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import type { RolloutReport } from "../../model/revision.ts";
import { all, checkedTargets, type Target, trafficText } from "../revisions/traffic.ts";
import { type Counts, Watch } from "./counts.ts";
import { defaultGuard, fisher, judge, type Sample } from "./guard.ts";
import { firstShares, Rollout } from "./rollout.ts";
import { blend, nextStepMs, shareAt } from "./steps.ts";

describe("steps", () => {
  test("begin with 1%, rise by 5%, and end with the time", () => {
    const golden = [
      [0, 1, 30_000],
      [1, 1, 30_000],
      [29_999, 1, 30_000],
      [30_000, 5, 60_000],
      [59_999, 5, 60_000],
      [60_000, 10, 90_000],
      [300_000, 50, 330_000],
      [569_999, 90, 570_000],
      [570_000, 95, 600_000],
      [600_000, 100, Number.POSITIVE_INFINITY],
      [1e9, 100, Number.POSITIVE_INFINITY],
    ];
    const found = golden.map(([at]) => [at, shareAt(at!, 600_000), nextStepMs(at!, 600_000)]);
    expect(found).toEqual(golden);
    expect(shareAt(0, 0)).toBe(100);
  });

  test("come when they are said to, whatever the length", () => {
    for (const overMs of [1, 7, 99, 1_000, 12_345, 86_400_000, 3_333_333]) {
      let at = 0;
      let share = shareAt(0, overMs);
      for (let steps = 0; share < 100; steps++) {
        const next = nextStepMs(at, overMs);
        expect(next).toBeGreaterThan(at);
        const higher = shareAt(next, overMs);
        expect(higher).toBeGreaterThan(share);
        expect(steps).toBeLessThan(21);
        [at, share] = [next, higher];
      }
      expect(at).toBeLessThanOrEqual(overMs);
    }
  });

  test("take from the others in proportion, and always add up to 100", () => {
    const before = [
      { revision: 3, weight: 50 },
      { revision: 2, weight: 25 },
      { revision: 1, weight: 25 },
    ];
    const text = (targets: readonly Target[]) => trafficText(targets);
    expect(text(blend(all(1), 2, 1))).toBe("rev-2 1%, rev-1 99%");
    expect(text(blend(before, 4, 1))).toBe("rev-4 1%, rev-3 49%, rev-2 25%, rev-1 25%");
    expect(text(blend(before, 4, 50))).toBe("rev-4 50%, rev-3 25%, rev-2 13%, rev-1 12%");
    expect(text(blend(before, 4, 99))).toBe("rev-4 99%, rev-3 1%");
    expect(text(blend(before, 4, 100))).toBe("rev-4 100%");
    // The old ones may be newer: a rollout of what there was.
    expect(text(blend(before, 1, 10))).toBe("rev-3 60%, rev-2 30%, rev-1 10%");
    for (let weight = 1; weight <= 100; weight++) {
      expect(() => checkedTargets(blend(before, 4, weight), new Set([1, 2, 3, 4]))).not.toThrow();
    }
  });
});

describe("Fisher's exact test", () => {
  test("knows what the tables say", () => {
    const golden = [
      // The lady who tastes tea: 4 of 4 cups, and 3 of 4.
      [4, 4, 0, 4, 1 / 70],
      [3, 4, 1, 4, 17 / 70],
      // R: fisher.test(matrix(c(10, 2, 3, 15), 2), alternative = "greater")
      [10, 13, 2, 17, 0.000465],
      [0, 50, 0, 50, 1],
      [5, 5, 5, 5, 1],
    ] as const;
    for (const [a, n, b, m, p] of golden)
      expect(fisher({ count: a, of: n }, { count: b, of: m })).toBeCloseTo(p, 6);
  });

  test("adds up: what is at least k, and what is at most k - 1 of the same, are everything", () => {
    for (const [k, n, b, m] of [
      [3, 40, 9, 200],
      [30, 400, 9, 2_000],
      [7, 1_000, 70, 10_000],
    ] as const) {
      const upper = fisher({ count: k, of: n }, { count: b, of: m });
      // At most k - 1 for the one is at least b + 1 for the other.
      const lower = fisher({ count: b + 1, of: m }, { count: k - 1, of: n });
      expect(upper + lower).toBeCloseTo(1, 9);
    }
  });
});

describe("the guard", () => {
  const boundsS = [0.01, 0.1, 1];
  const settings = { ...defaultGuard, boundsS };
  const sample = (requests: number, errors: number, times?: readonly number[]): Sample => ({
    requests,
    errors,
    times: times ?? [requests, 0, 0, 0],
    abandoned: 0,
    overdue: [0, 0, 0],
    crashes: 0,
  });

  test("says why", () => {
    const golden = [
      [
        sample(49, 49),
        sample(1_000, 0),
        "too-few: it takes 50 requests of each to compare, there were 49 and 1000",
      ],
      [
        sample(1_000, 900),
        sample(10, 0),
        "too-few: it takes 50 requests of each to compare, there were 1000 and 10",
      ],
      [sample(50, 0), sample(50, 0), "not-worse"],
      // By chance, for all that is known: 2 of 50.
      [sample(50, 2), sample(1_000, 1), "not-worse"],
      [sample(50, 5), sample(1_000, 1), "worse: 10% of its requests failed, 0.1% before"],
      // No chance, and no matter: 0.5% and 0.1% of a million.
      [sample(1_000_000, 5_000), sample(1_000_000, 1_000), "not-worse"],
      [sample(1_000_000, 20_000), sample(1_000_000, 5_000), "worse: 2% of its requests failed, 0.5% before"],
      // An app that fails always does not become worse.
      [sample(500, 490), sample(500, 490), "not-worse"],
      // Better is not worse.
      [sample(500, 0), sample(500, 250), "not-worse"],
      // Usual is up to 10ms, so slow is beyond 100ms: the first bound that is at least twice as much, and 50ms.
      [
        sample(200, 0, [100, 60, 40, 0]),
        sample(1_000, 0, [960, 30, 10, 0]),
        "worse: 20% of its requests took longer than 100ms, 1% before",
      ],
      [sample(200, 0, [100, 99, 1, 0]), sample(1_000, 0, [960, 30, 10, 0]), "not-worse"],
      // Usual is up to 100ms, so slow is beyond 1s.
      [sample(200, 0, [0, 100, 100, 0]), sample(1_000, 0, [0, 990, 10, 0]), "not-worse"],
      [
        sample(200, 0, [0, 100, 50, 50]),
        sample(1_000, 0, [0, 990, 10, 0]),
        "worse: 25% of its requests took longer than 1s, 0% before",
      ],
      // What was slower than any bound cannot get slower.
      [sample(100, 0, [0, 0, 0, 100]), sample(100, 0, [0, 0, 0, 100]), "not-worse"],
      [
        sample(100, 50, [0, 0, 0, 50]),
        sample(100, 0, [0, 0, 100, 0]),
        "worse: 50% of its requests failed, 0% before; 100% of its requests took longer than 1s, 0% before",
      ],
      // Nothing is answered: all that has come waits for longer than 100ms.
      [
        { ...sample(0, 0), overdue: [90, 80, 0] },
        sample(1_000, 0),
        "worse: 100% of its requests took longer than 100ms, 0% before",
      ],
      // Its clients do not wait for it.
      [
        { ...sample(60, 0), abandoned: 30 },
        { ...sample(1_000, 0), abandoned: 20 },
        "worse: 33% of its requests took longer than 100ms, 2% before",
      ],
      // They do not wait for the old one either.
      [{ ...sample(60, 0), abandoned: 30 }, { ...sample(1_000, 0), abandoned: 500 }, "not-worse"],
      // What waits, but for less than what is slow, is not known yet.
      [
        { ...sample(10, 0), overdue: [90, 0, 0] },
        sample(1_000, 0),
        "too-few: it takes 50 requests of each to compare, there were 10 and 1000",
      ],
    ] as const;
    for (const [fresh, old, wanted] of golden) {
      const { kind, reasons } = judge(fresh, old, settings);
      expect(reasons.length === 0 ? kind : `${kind}: ${reasons.join("; ")}`).toBe(wanted);
    }
  });

  test("is seldom wrong about revisions that are alike, and finds those that are not", () => {
    let seed = 12_345;
    const random = () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed / 2 ** 32;
    };
    /** Whether any look at a growing sample finds it worse. */
    const found = (freshRate: number, oldRate: number, requests: number): boolean => {
      let [errors, oldErrors, look] = [0, 0, 50];
      for (let n = 1; n <= requests; n++) {
        if (random() < freshRate) errors++;
        if (random() < oldRate) oldErrors++;
        if (n < look && n < requests) continue;
        look = Math.ceil(look * settings.nextLook);
        if (judge(sample(n, errors), sample(n, oldErrors), settings).kind === "worse") return true;
      }
      return false;
    };
    const count = (rates: readonly [number, number], requests: number) =>
      Array.from({ length: 300 }, () => found(...rates, requests)).filter(Boolean).length;
    for (const rate of [0, 0.01, 0.1]) expect(count([rate, rate], 2_000)).toBeLessThanOrEqual(3);
    expect(count([0.1, 0.01], 1_000)).toBeGreaterThanOrEqual(298);
    expect(count([0.05, 0.02], 5_000)).toBeGreaterThanOrEqual(295);
  });
});

describe("what has not been answered in time", () => {
  const boundsS = [0.1, 1, 10];

  test("is never said to be more than it is, whatever the order of the answers", () => {
    let seed = 4_711;
    const random = () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed / 2 ** 32;
    };
    // Of 1,000 requests in 20 seconds a third hangs, the others take up to 400 ms.
    const requests = Array.from({ length: 1_000 }, () => {
      const at = random() * 20_000;
      return { at, end: random() < 0.33 ? Number.POSITIVE_INFINITY : at + random() * 400 };
    });
    let now = 0;
    const past = (times: readonly number[]) => times.filter((time) => time <= now).length;
    const counts = (): Counts => ({
      arrived: past(requests.map(({ at }) => at)),
      settled: past(requests.map(({ end }) => end)),
      ...{ abandoned: 0, requests: 0, errors: 0, crashes: 0, times: [0, 0, 0, 0] },
    });
    const watch = new Watch(counts, boundsS);
    for (; now <= 30_000; now += 250) {
      const { overdue } = watch.read(now);
      for (const [i, bound] of boundsS.entries()) {
        const waiting = requests.filter(({ at, end }) => at <= now - bound * 1_000 && end > now).length;
        expect(overdue[i]!).toBeLessThanOrEqual(waiting);
      }
    }
    // Once all is answered that ever is, it is exact.
    const hanging = requests.filter(({ end }) => end === Number.POSITIVE_INFINITY).length;
    expect(watch.read(now).overdue).toEqual([hanging, hanging, hanging]);
  });
});

describe("a rollout", () => {
  const boundsS = [0.01, 0.1, 1];
  const before = [
    { revision: 2, weight: 60 },
    { revision: 1, weight: 40 },
  ];

  /** A rollout of rev-3, on a clock of its own; `counts` is what each revision has done. */
  function rollout(overMs: number, guarded: boolean) {
    const clock = new ManualClock();
    const none: Counts = {
      arrived: 0,
      settled: 0,
      abandoned: 0,
      requests: 0,
      errors: 0,
      crashes: 0,
      times: [0, 0, 0, 0],
    };
    const counts = new Map([1, 2, 3].map((revision) => [revision, none]));
    const world = {
      targets: [] as readonly Target[],
      told: [] as RolloutReport[],
      broken: false,
      /** What a step waits for. */
      gate: Promise.resolve(),
    };
    const plan = {
      service: "api",
      revision: 3,
      before,
      earlier: null,
      overMs,
      guard: guarded ? { ...defaultGuard, boundsS } : null,
    };
    world.targets = firstShares(plan);
    const shift = async (expected: readonly Target[], targets: readonly Target[]) => {
      await world.gate;
      if (world.broken) throw new Error("rev-3 does not start");
      if (!Bun.deepEquals(expected, world.targets)) return false;
      world.targets = targets;
      return true;
    };
    const own = new Rollout(plan, {
      clock,
      sampler: (revision) => () => counts.get(revision)!,
      shift,
      back: (expected) => shift(expected, before),
      told: (report) => world.told.push(report),
    });
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 100) {
        clock.advance(Math.min(100, left));
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      }
    };
    const add = (revision: number, requests: number, errors: number) => {
      const now = counts.get(revision)!;
      counts.set(revision, {
        ...{ ...now, arrived: now.arrived + requests, settled: now.settled + requests },
        ...{ requests: now.requests + requests, errors: now.errors + errors },
        times: [now.requests + requests, 0, 0, 0],
      });
    };
    /** Requests that get no answer. */
    const hang = (revision: number, requests: number) => {
      const now = counts.get(revision)!;
      counts.set(revision, { ...now, arrived: now.arrived + requests });
    };
    const crash = (revision: number, crashes: number) =>
      counts.set(revision, { ...counts.get(revision)!, crashes });
    return { own, world, pass, add, hang, crash, weights: () => world.told.map(({ weight }) => weight) };
  }

  test("without a guard takes its steps and is done, whatever comes", async () => {
    const { own, world, pass, add, weights } = rollout(20_000, false);
    add(3, 1_000, 1_000);
    await pass(30_000);
    expect(own.report).toMatchObject({ revision: "rev-3", state: "done", weight: 100, why: "" });
    expect(weights()).toEqual([1, ...Array.from({ length: 20 }, (_, n) => 5 * (n + 1))]);
    expect(trafficText(world.targets)).toBe("rev-3 100%");
  });

  test("is done, too, when a step takes longer than all the time that was left", async () => {
    for (const guarded of [false, true]) {
      const { own, world, pass } = rollout(2_000, guarded);
      const gate = Promise.withResolvers<void>();
      world.gate = gate.promise;
      await pass(1_000);
      expect(own.report.weight).toBe(1);
      await pass(5_000);
      gate.resolve();
      await pass(2_000);
      expect(own.report).toMatchObject({ state: "done", weight: 100 });
      expect(trafficText(world.targets)).toBe("rev-3 100%");
    }
  });

  test("goes back to all that there was once it is worse", async () => {
    const { own, world, pass, add } = rollout(100_000, true);
    await pass(6_000);
    expect(trafficText(world.targets)).toBe("rev-3 5%, rev-2 57%, rev-1 38%");
    add(2, 600, 0);
    add(1, 400, 0);
    add(3, 49, 40);
    await pass(2_000);
    expect(own.report.state).toBe("shifting");
    add(3, 1, 0);
    await pass(1_000);
    expect(own.report).toMatchObject({
      state: "went-back",
      weight: 0,
      why: "80% of its requests failed, 0% before",
    });
    expect(world.targets).toEqual(before);
    const told = world.told.length;
    await pass(200_000);
    expect(world.told.length).toBe(told);
  });

  test("goes back when nothing is answered any more", async () => {
    for (const overMs of [0, 10_000]) {
      const { own, world, pass, add, hang } = rollout(overMs, true);
      add(2, 60, 0);
      add(1, 40, 0);
      await pass(500);
      hang(3, 60);
      await pass(500);
      expect(own.report).toMatchObject({
        state: "went-back",
        why: "100% of its requests took longer than 100ms, 0% before",
      });
      expect(world.targets).toEqual(before);
    }
  });

  test("goes back when the new revision crashes, without a request, but not when the old ones crash as often", async () => {
    for (const overMs of [0, 10_000]) {
      const { own, pass, crash } = rollout(overMs, true);
      await pass(500);
      crash(1, 1);
      crash(3, 1);
      await pass(500);
      expect(own.over).toBe(false);
      crash(3, 2);
      await pass(500);
      expect(own.report).toMatchObject({
        state: "went-back",
        why: "it crashed 2 times, the old one once",
      });
    }
  });

  test("at once compares with what the old ones did before, watches for a minute, and says when nothing is known", async () => {
    const bad = rollout(0, true);
    expect(bad.own.report).toMatchObject({ state: "watching", weight: 100 });
    bad.add(2, 100, 0);
    bad.add(3, 100, 50);
    await bad.pass(1_000);
    expect(bad.own.report.state).toBe("went-back");
    const idle = rollout(0, true);
    await idle.pass(59_000);
    expect(idle.own.report.state).toBe("watching");
    await idle.pass(2_000);
    expect(idle.own.report).toMatchObject({
      state: "done",
      why: "nothing is known: it takes 50 requests of each to compare, there were 0 and 0",
    });
  });

  test("leaves the traffic alone that somebody else has changed, also when it would go back", async () => {
    const { own, world, pass } = rollout(10_000, false);
    world.targets = all(1);
    await pass(1_000);
    expect(own.report).toMatchObject({ state: "superseded", why: "the traffic was changed meanwhile" });
    expect(world.targets).toEqual(all(1));
    const other = rollout(10_000, true);
    other.world.targets = all(1);
    other.add(1, 100, 0);
    other.add(3, 100, 100);
    await other.pass(1_000);
    expect([other.own.report.state, other.world.targets]).toEqual(["superseded", all(1)]);
  });

  test("ends at once when it is told that somebody else decides, also in the middle of a step", async () => {
    for (const broken of [false, true]) {
      const { own, world, pass } = rollout(10_000, false);
      const gate = Promise.withResolvers<void>();
      world.gate = gate.promise;
      await pass(600);
      own.supersede();
      const ended = { state: "superseded", weight: 1, why: "the traffic was changed meanwhile" };
      expect(own.report).toMatchObject(ended);
      world.broken = broken;
      world.targets = all(1);
      gate.resolve();
      const told = world.told.length;
      await pass(30_000);
      expect(own.report).toMatchObject(ended);
      expect([world.told.length, world.targets]).toEqual([told, all(1)]);
      own.supersede("once more");
      expect(own.report).toMatchObject(ended);
    }
  });

  test("ends where it is when a step cannot be made", async () => {
    const { own, world, pass } = rollout(10_000, false);
    await pass(2_600);
    world.broken = true;
    await pass(1_000);
    expect(own.report).toMatchObject({ state: "failed", weight: 25, why: "rev-3 does not start" });
    expect(trafficText(world.targets)).toBe("rev-3 25%, rev-2 45%, rev-1 30%");
  });
});
