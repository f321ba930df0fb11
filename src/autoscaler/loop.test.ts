import { describe, expect, test } from "bun:test";
import { ManualClock } from "../base/clock.ts";
import { AutoscalerLoop } from "./loop.ts";
import type { LoopPorts, Totals, UsageView } from "./ports.ts";
import type { Decision } from "./reasons.ts";
import { type AutoscalerSettings, defaultSettings } from "./settings.ts";

const START_MS = 20;

/**
 * A service that the story plays: `running` and `waiting` are what the gateways count, instances are ready a moment after they are
 * asked for, and stop at once.
 */
class Service {
  readonly clock = new ManualClock();
  readonly decisions: { readonly decision: Decision; readonly news: boolean }[] = [];
  readonly scaled: number[] = [];
  counts: { running: number; waiting: number } | null = { running: 0, waiting: 0 };
  totals: Totals = { arrived: 0, refused: 0, finished: 0, slotMs: 0 };
  ready = 1;
  starting = 0;
  startMs = START_MS;
  usage: UsageView = {};
  readonly loop: AutoscalerLoop;

  constructor(settings: Partial<AutoscalerSettings> = {}) {
    const ports: LoopPorts = {
      clock: this.clock,
      counts: () => this.counts,
      totals: () => this.totals,
      pool: () => ({ ready: this.ready, starting: this.starting }),
      usage: () => this.usage,
      scale: (count) => this.#scale(count),
      decided: (decision, news) => void this.decisions.push({ decision, news }),
    };
    this.loop = new AutoscalerLoop({ ...defaultSettings, concurrency: 10, ...settings }, ports);
    this.loop.instanceReady(START_MS);
    this.loop.start();
  }

  get instances(): number {
    return this.ready + this.starting;
  }

  get last(): Decision {
    return this.decisions.at(-1)!.decision;
  }

  seconds(count: number): void {
    this.clock.advance(count * 1_000);
  }

  add(more: Partial<Totals>): void {
    const next = { ...this.totals };
    for (const [key, by] of Object.entries(more)) next[key as keyof Totals] += by;
    this.totals = next;
  }

  #scale(count: number): void {
    this.scaled.push(count);
    const more = count - this.instances;
    if (more <= 0) {
      this.ready = Math.max(0, this.ready + more);
      return;
    }
    this.starting += more;
    this.clock.after(this.startMs, () => {
      this.starting -= more;
      this.ready += more;
      for (let n = 0; n < more; n++) this.loop.instanceReady(this.startMs);
    });
  }
}

describe("the story of a service", () => {
  test("quiet, flood, quiet, zero, and back", () => {
    const service = new Service();
    // 5 of 10 slots, of which 7 are planned for: one instance does.
    service.counts = { running: 5, waiting: 0 };
    service.seconds(70);
    expect(service.instances).toBe(1);
    // The flood: 10 run, 60 wait. Without a tick there are as many as 70 requests take at 7 each.
    service.counts = { running: 10, waiting: 60 };
    service.loop.lineFormed(service.clock.now());
    expect(service.scaled.at(-1)).toBe(10);
    expect(service.last).toMatchObject({ trigger: "burst", action: "start", count: 9, rule: "burst" });
    // Told again and again, with the same numbers: nothing more.
    for (let n = 0; n < 20; n++) service.loop.lineFormed(service.clock.now());
    expect(service.instances).toBe(10);
    service.counts = { running: 70, waiting: 0 };
    service.seconds(60);
    expect(service.instances).toBe(10);
    // It ebbs. Nothing shrinks while the surge is in the panic; then half a tick at most.
    service.counts = { running: 5, waiting: 0 };
    service.seconds(1);
    expect(service.instances).toBe(10);
    service.seconds(120);
    expect(service.instances).toBe(1);
    // Silence: the window empties within 60 s, then 30 s of grace.
    service.counts = { running: 0, waiting: 0 };
    service.seconds(85);
    expect(service.instances).toBe(1);
    service.seconds(10);
    expect(service.instances).toBe(0);
    expect(service.last.rule).toBe("zero");
    // A request wakes it, at once.
    service.counts = { running: 0, waiting: 1 };
    const since = service.clock.now();
    service.loop.lineFormed(since);
    expect(service.starting).toBe(1);
    service.clock.advance(START_MS);
    expect(service.ready).toBe(1);
    expect(service.loop.wakes.total).toBe(1);
    expect(service.loop.wakes.sumS).toBeCloseTo(START_MS / 1_000, 6);
  });

  test("a ramp is followed at the ticks, and never beyond what it takes", () => {
    const service = new Service();
    for (let running = 0; running <= 70; running += 1) {
      service.counts = { running, waiting: 0 };
      service.seconds(2);
      expect(service.instances).toBeLessThanOrEqual(Math.max(1, Math.ceil(running / 7)));
    }
    service.seconds(60);
    expect(service.instances).toBe(10);
  });
});

describe("what it must not do", () => {
  test("without gateways nobody counts: what there is is kept", () => {
    const service = new Service();
    service.counts = { running: 30, waiting: 0 };
    service.seconds(70);
    expect(service.instances).toBe(5);
    service.counts = null;
    service.seconds(300);
    expect(service.instances).toBe(5);
    expect(service.last).toMatchObject({ rule: "no_data", valid: false, action: "hold" });
    service.counts = { running: 0, waiting: 0 };
    service.loop.lineFormed(service.clock.now());
    expect(service.instances).toBe(5);
  });

  test("a busy machine leaves no second out: beats that come late count for the seconds between", () => {
    const service = new Service();
    service.counts = { running: 7, waiting: 0 };
    service.seconds(60);
    const late = new Service();
    const skip = late.clock.after.bind(late.clock);
    late.clock.after = (ms, callback) => skip(ms === 100 ? 2_500 : ms, callback);
    late.counts = { running: 7, waiting: 0 };
    late.seconds(60);
    const wants = (of: Service) => {
      const reason = of.last.reasons.find(({ rule }) => rule === "requests");
      return reason?.rule === "requests" ? reason.stable : undefined;
    };
    expect(wants(service)).toBeCloseTo(7, 6);
    expect(wants(late)).toBeCloseTo(7, 6);
  });

  test("a fresh service keeps what it began with for as long as an idle one", () => {
    const service = new Service();
    service.seconds(85);
    expect(service.instances).toBe(1);
    service.seconds(10);
    expect(service.instances).toBe(0);
  });

  test("a request that comes and goes between two readings keeps a service awake", () => {
    const service = new Service();
    for (let n = 0; n < 30; n++) {
      service.add({ arrived: 1, finished: 1, slotMs: 5 });
      service.seconds(10);
    }
    expect(service.instances).toBe(1);
  });

  test("slow starts are not ordered for every request that waits", () => {
    const service = new Service();
    for (let n = 0; n < 8; n++) service.loop.instanceReady(60_000);
    service.counts = { running: 10, waiting: 40 };
    for (let n = 0; n < 10; n++) service.loop.lineFormed(service.clock.now());
    expect(service.instances).toBe(1);
    expect(service.decisions.filter(({ news }) => news).length).toBe(1);
  });

  test("one start that was slow, on a machine that had other things to do, does not make starts slow", () => {
    const service = new Service();
    service.loop.instanceReady(5_000);
    service.counts = { running: 10, waiting: 40 };
    service.loop.lineFormed(service.clock.now());
    expect(service.instances).toBe(8);
  });

  test("nothing happens after a stop", () => {
    const service = new Service();
    service.loop.stop();
    service.counts = { running: 10, waiting: 100 };
    service.loop.lineFormed(service.clock.now());
    service.seconds(100);
    expect(service.scaled).toEqual([]);
    expect(service.clock.pending).toBe(0);
  });
});

describe("usage", () => {
  test("of processors wants more instances than the requests do, while there are requests", () => {
    const service = new Service({ cpuUtilization: 0.5 });
    service.counts = { running: 1, waiting: 0 };
    service.usage = { cpu: [1] };
    service.seconds(10);
    expect(service.instances).toBe(2);
    expect(service.decisions.at(-1)!.decision.reasons.some(({ rule }) => rule === "resource")).toBe(true);
  });

  test("without a target for it changes nothing", () => {
    const service = new Service();
    service.counts = { running: 1, waiting: 0 };
    service.usage = { cpu: [1], memory: [1] };
    service.seconds(10);
    expect(service.instances).toBe(1);
  });
});

describe("refused requests", () => {
  test("wake a service at zero that has no line", () => {
    const service = new Service();
    service.seconds(100);
    expect(service.instances).toBe(0);
    service.add({ arrived: 1, refused: 1 });
    service.loop.lineFormed(service.clock.now());
    expect(service.instances).toBe(1);
  });

  test("count as the slots that they would have held", () => {
    const service = new Service();
    service.counts = { running: 10, waiting: 0 };
    // 100 a second of 100 ms each hold 10 slots; 600 a second more are refused.
    for (let n = 0; n < 60; n++) {
      service.add({ arrived: 700, refused: 600, finished: 100, slotMs: 10_000 });
      service.seconds(1);
    }
    expect(service.instances).toBe(10);
  });
});

test("news are told as such, and what stays is not", () => {
  const service = new Service();
  service.counts = { running: 5, waiting: 0 };
  service.seconds(200);
  const news = service.decisions.filter((entry) => entry.news).map(({ decision }) => decision.rule);
  expect(service.decisions.length).toBe(100);
  expect(news.length).toBeLessThan(4);
  expect(news.at(-1)).toBe("requests");
});

test("the report follows the state", () => {
  const service = new Service({ minInstances: 0, maxInstances: 8 });
  expect(service.loop.report()).toEqual({
    minInstances: 0,
    maxInstances: 8,
    desired: 1,
    panicking: true,
  });
  service.counts = { running: 10, waiting: 1_000 };
  service.loop.lineFormed(service.clock.now());
  expect(service.loop.report().desired).toBe(8);
  expect(service.last.rule).toBe("burst");
});
