import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlotTable } from "../table.ts";
import { type Dismissal, Line, type LineOptions, type Place, type Waiting } from "./line.ts";
import { DrainRate, retryAfterSeconds } from "./retry-after.ts";

const dir = mkdtempSync(join(tmpdir(), "line-"));
afterAll(() => rmSync(dir, { recursive: true }));

class Request implements Waiting {
  place: Place | null = null;
  readonly gaveUp = Promise.withResolvers<string>();
  constructor(
    readonly name: string,
    readonly rank = 1,
    public left = Number.POSITIVE_INFINITY,
  ) {}
  dismissed(why: Dismissal): void {
    this.gaveUp.resolve(`${this.name} ${why}`);
  }
  remaining(): number {
    return this.left;
  }
}

let table: SlotTable;
let calls: number[];
let served: string[];
let files = 0;

beforeEach(() => {
  table = SlotTable.create(join(dir, `t${files++}`), { rows: 2, columns: 3 });
  calls = [];
  served = [];
});

function line(column: number, more: Partial<LineOptions> = {}): Line {
  return new Line({
    table,
    column,
    depth: more.depth ?? 10,
    waitMs: more.waitMs ?? 0,
    call: (other) => void calls.push(other),
    now: () => performance.now(),
    serviceTime: null,
    ...more,
  });
}

/** Serves with `slots` slots free. */
function serve(from: Line, slots: number): void {
  from.serve<true>({
    free: () => slots > 0,
    take: () => (slots-- > 0 ? true : null),
    start: (owner) => void served.push((owner as Request).name),
  });
}

describe("classes", () => {
  const names = (own: Line, ...requests: Request[]) => {
    for (const request of requests) expect(own.enter(request, performance.now())).toBe(true);
  };

  test("go in their order, and within a class first in, first out", () => {
    const own = line(0);
    names(
      own,
      new Request("b1", 2),
      new Request("d1"),
      new Request("c1", 0),
      new Request("d2"),
      new Request("c2", 0),
    );
    serve(own, 9);
    expect(served).toEqual(["c1", "c2", "d1", "d2", "b1"]);
  });

  test("hold over gateways, however long the lower has waited", () => {
    const [own, other] = [line(0), line(1)];
    other.enter(new Request("old bulk", 2), 10);
    own.enter(new Request("new critical", 0), 5_000);
    serve(other, 1);
    expect([served, calls]).toEqual([[], [0]]);
    serve(own, 1);
    expect(served).toEqual(["new critical"]);
  });

  test("none waits for ever: one slot in sixteen goes to the lowest", () => {
    const own = line(0, { depth: 100 });
    names(own, new Request("bulk", 2));
    for (let i = 0; i < 40; i++) own.enter(new Request(`critical ${i}`, 0), performance.now());
    serve(own, 16);
    expect(served).toContain("bulk");
    expect(served.indexOf("bulk")).toBe(15);
  });

  test("in a full line make room: the newest of the lowest class goes", async () => {
    const own = line(0, { depth: 3 });
    const [old, young] = [new Request("old", 2), new Request("young", 2)];
    names(own, old, new Request("default"), young, new Request("critical", 0));
    expect(await young.gaveUp.promise).toBe("young displaced");
    expect(own.enter(new Request("late bulk", 2), performance.now())).toBe(false);
    names(own, new Request("second", 0));
    expect(await old.gaveUp.promise).toBe("old displaced");
    serve(own, 9);
    expect(served).toEqual(["critical", "second", "default"]);
    expect(table.waiting()).toBe(0);
  });
});

describe("under overload", () => {
  let now = 0;
  const serviceTime = { typicalMs: 20, neededMs: 40 };
  const overloadable = (waitMs = 0) => {
    now = performance.now();
    return line(0, { waitMs, depth: 1_000, now: () => now, serviceTime });
  };

  test("a burst is served in order, however long, within the longest wait", () => {
    const own = overloadable(10_000);
    for (const name of ["a", "b", "c"]) own.enter(new Request(name), now);
    now += 9_999;
    serve(own, 0);
    expect(own.state).toBe("standing");
    serve(own, 3);
    expect(served).toEqual(["a", "b", "c"]);
    expect(own.state).toBe("empty");
  });

  test("steady clients may keep a line standing all day: nobody waits in vain", () => {
    const own = overloadable(10_000);
    own.enter(new Request("first"), now);
    for (let i = 0; i < 1_000; i++) {
      now += 80;
      own.enter(new Request(`${i}`), now);
      serve(own, 1);
    }
    expect(own.state).toBe("standing");
    expect(served.slice(-2)).toEqual(["997", "998"]);
  });

  test("one that waited as long as it may shows it too", async () => {
    const own = line(0, { waitMs: 20, depth: 10, serviceTime });
    const [first, second] = [new Request("first"), new Request("second")];
    own.enter(first, performance.now());
    own.enter(second, performance.now() + 1_000);
    expect(await first.gaveUp.promise).toBe("first waited");
    expect(own.state).toBe("overloaded");
    Line.leave(second);
    expect(own.state).toBe("empty");
  });

  test("serves the newest first, and sends away who waited too long for its class", async () => {
    const own = overloadable(10_000);
    const stale = new Request("stale");
    own.enter(stale, now);
    own.enter(new Request("hopeless", 0, 1), now);
    serve(own, 0);
    now += 81;
    const [bulk, plain, critical] = [
      new Request("bulk", 2),
      new Request("plain"),
      new Request("critical", 0),
    ];
    for (const request of [bulk, plain, critical]) own.enter(request, now);
    own.enter(new Request("newest"), now + 1);
    expect(own.state).toBe("overloaded");
    serve(own, 0);
    expect(await stale.gaveUp.promise).toBe("stale shed");
    // Two, four and eight service times.
    now += 41;
    serve(own, 0);
    expect(await bulk.gaveUp.promise).toBe("bulk shed");
    serve(own, 2);
    expect(served).toEqual(["critical", "newest"]);
    now += 40;
    serve(own, 0);
    expect(await plain.gaveUp.promise).toBe("plain shed");
    expect(own.state).toBe("empty");
  });

  test("a request that can not be in time any more is not begun, and tells that the line is too long", async () => {
    const own = overloadable();
    const hopeless = new Request("hopeless", 1, 39);
    const patient = new Request("patient", 1, 1_000);
    for (const request of [hopeless, patient, new Request("newest", 1, 1_000)]) own.enter(request, now);
    serve(own, 1);
    expect(await hopeless.gaveUp.promise).toBe("hopeless too-late");
    expect(own.state).toBe("overloaded");
    expect(served).toEqual(["newest"]);
  });

  test("with shedding off everybody waits in order", () => {
    const own = line(0, { depth: 100 });
    own.enter(new Request("hopeless", 1, 0), performance.now() - 1e6);
    own.enter(new Request("next"), performance.now());
    serve(own, 2);
    expect(served).toEqual(["hopeless", "next"]);
  });
});

describe("the line", () => {
  test("serves first in, first out, as many as there are slots", () => {
    const own = line(0);
    for (const name of ["a", "b", "c"]) expect(own.enter(new Request(name), performance.now())).toBe(true);
    serve(own, 2);
    expect(served).toEqual(["a", "b"]);
    expect([own.length, table.waiting()]).toEqual([1, 1]);
    serve(own, 5);
    expect(served).toEqual(["a", "b", "c"]);
    expect(own.busy).toBe(false);
  });

  test("has one depth for all gateways", () => {
    const own = line(0, { depth: 2 });
    const other = line(1, { depth: 2 });
    expect(own.enter(new Request("a"), 1)).toBe(true);
    expect(other.enter(new Request("b"), 2)).toBe(true);
    expect(own.enter(new Request("c"), 3)).toBe(false);
    expect(own.busy).toBe(true);
  });

  test("calls the gateway whose first request is older, instead of serving its own", () => {
    const own = line(0);
    const other = line(1);
    other.enter(new Request("older"), 100);
    own.enter(new Request("younger"), 200);
    serve(own, 1);
    expect([served, calls]).toEqual([[], [1]]);
    serve(other, 2);
    // One slot for the older; then the oldest is the first gateway's.
    expect([served, calls]).toEqual([["older"], [1, 0]]);
    serve(own, 1);
    expect(served).toEqual(["older", "younger"]);
  });

  test("calls nobody when no slot is free", () => {
    line(1).enter(new Request("older"), 100);
    serve(line(0), 0);
    expect(calls).toEqual([]);
  });

  test("lets anybody leave from anywhere, and nobody twice", () => {
    const own = line(0);
    const requests = ["a", "b", "c", "d"].map((name) => new Request(name));
    for (const request of requests) own.enter(request, performance.now());
    Line.leave(requests[1]!);
    Line.leave(requests[1]!);
    Line.leave(requests[3]!);
    Line.leave(requests[0]!);
    expect([own.length, table.waiting()]).toEqual([1, 1]);
    serve(own, 5);
    expect(served).toEqual(["c"]);
  });

  test("takes back at its head, and with its age, whoever lost its slot", () => {
    const own = line(0, { depth: 1 });
    own.enter(new Request("waits"), 200);
    own.reenter(new Request("lost"), 50);
    line(1).enter(new Request("between"), 100);
    serve(own, 1);
    expect(served).toEqual(["lost"]);
  });

  test("gives up those who waited too long, in order, and only those", async () => {
    const own = line(0, { waitMs: 20 });
    const [a, b, c] = ["a", "b", "c"].map((name) => new Request(name)) as [Request, Request, Request];
    for (const request of [a, b, c]) own.enter(request, performance.now());
    Line.leave(b);
    expect(await a.gaveUp.promise).toBe("a waited");
    expect(await c.gaveUp.promise).toBe("c waited");
    expect([own.length, table.waiting(), b.place]).toEqual([0, 0, null]);
  });

  test("starts nobody twice when starting frees a slot at once", () => {
    const own = line(0);
    for (const name of ["a", "b"]) own.enter(new Request(name), performance.now());
    const desk = {
      free: () => true,
      take: () => true as const,
      start: (owner: Waiting) => {
        served.push((owner as Request).name);
        own.serve(desk);
      },
    };
    own.serve(desk);
    expect(served).toEqual(["a", "b"]);
  });
});

describe("Retry-After", () => {
  test.each([
    [0, 0, 1],
    [10, undefined, 1],
    [10, 0, 120],
    [10, 100, 1],
    [1000, 100, 10],
    [1001, 100, 11],
    [1_000_000, 10, 120],
  ])("%d waiting, %d finished a second: %d s", (waiting, rate, seconds) => {
    expect(retryAfterSeconds(waiting as number, rate as number | undefined)).toBe(seconds);
  });

  test("the rate is measured over the last seconds, and forgets a quiet time", () => {
    const rate = new DrainRate();
    expect(rate.observe(0, 0)).toBeUndefined();
    expect(rate.observe(1, 10)).toBeUndefined();
    expect(rate.observe(100, 1_000)).toBe(100);
    expect(rate.observe(600, 6_000)).toBe(100);
    expect(rate.observe(2_600, 11_000)).toBe(400);
    expect(rate.observe(2_600, 60_000)).toBeUndefined();
    expect(rate.observe(2_650, 61_000)).toBe(50);
  });
});
