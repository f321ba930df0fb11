import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { inTurn } from "./frame/bench.ts";
import { barsOf, figuresOf, othersByRound, shown } from "./frame/figures.ts";
import { markdown } from "./frame/markdown.ts";
import { ROOT } from "./frame/places.ts";
import { readSettings } from "./frame/settings.ts";
import { standings } from "./frame/standing.ts";
import { adjustedP, choose, median, quantile, ratios, spread } from "./frame/statistics.ts";
import { requirements } from "./install.ts";
import { readAnswer } from "./load/probe.ts";
import { faults, readReport, wrkCommand } from "./load/wrk.ts";
import { ONE, RAW } from "./parts/apps.ts";
import { commandLine, freeStem } from "./run.ts";
import { growth } from "./soak.ts";
import { withBefore } from "./stacks/before.ts";
import { headrace } from "./stacks/headrace.ts";
import { uvicorn } from "./stacks/python.ts";
import { phasesOf } from "./stacks/started.ts";
import { part, results } from "./test/results.ts";

describe("loads", () => {
  const text = `Running 2s test @ http://127.0.0.1:18100/
REPORT {"requests":1000,"micros":2000000,"bytes":150000,"connect":1,"read":2,"write":3,"timeout":4,"status":5,"p50":742,"p99":1200000,"p999":1300000}
Requests/sec:    500.00`;

  test("a report of wrk is read, with its units and errors", () => {
    expect(readReport(text, 1.5)).toEqual({
      requestsPerSecond: 500,
      requests: 1000,
      bytes: 150_000,
      p50Ms: 0.742,
      p99Ms: 1200,
      p999Ms: 1300,
      errors: 15,
      cpuSeconds: 1.5,
    });
    expect(() => readReport("unable to connect", 0)).toThrow("unable to connect");
  });

  test("figures do not count when a request failed, or when the bytes that came are not those of right answers", () => {
    const right = { status: 200, bodyBytes: 13, wireBytes: 150 };
    const seen = { ...readReport(text, 0), errors: 0 };
    expect(faults(seen, right, 64)).toEqual([]);
    // Answers that were under way at the end have come in part.
    expect(faults({ ...seen, bytes: 150_000 + 64 * 150 }, right, 64)).toEqual([]);
    expect(faults({ ...seen, bytes: 170_000 }, right, 64)).toHaveLength(1);
    expect(faults({ ...seen, bytes: 100_000 }, right, 64)).toHaveLength(1);
    expect(faults({ ...seen, errors: 1 }, right, 64)).toEqual(["1 of 1000 failed"]);
    expect(faults({ ...seen, requests: 0, bytes: 0 }, right, 64)).toEqual(["no request was answered"]);
  });

  test("the load stays on the cores that it was given", () => {
    const load = { url: "http://127.0.0.1:1/", connections: 64, seconds: 1 };
    expect(wrkCommand({ ...load, cores: "1" }).slice(0, 4)).toEqual(["taskset", "-c", "1", "wrk"]);
    expect(wrkCommand(load)[0]).toBe("wrk");
  });

  test("an answer is complete by its length, its chunks, or the end of the connection", () => {
    const read = (said: string, ended = false) => readAnswer(Buffer.from(said), ended);
    expect(read("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell")).toBeNull();
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")).toEqual({
      status: 200,
      bodyBytes: 5,
      wireBytes: 43,
    });
    const chunked =
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n";
    expect(read(chunked)).toEqual({ status: 200, bodyBytes: 15, wireBytes: chunked.length });
    expect(read(chunked.slice(0, -4))).toBeNull();
    expect(read("HTTP/1.1 200 OK\r\n\r\nhello")).toBeNull();
    expect(read("HTTP/1.0 503 No\r\n\r\nhello", true)?.bodyBytes).toBe(5);
    expect(read("HTTP/1.1 200", true)).toBeNull();
  });

  test("phases are read from the head of an answer", () => {
    const head = "HTTP/1.1 200 OK\r\nserver-timing: wait;dur=18.2, fork;dur=3.1\r\n\r\n";
    expect(phasesOf(head)).toEqual({ wait: 18.2, fork: 3.1 });
    expect(phasesOf("HTTP/1.1 200 OK\r\n\r\n")).toEqual({});
  });
});

describe("statistics", () => {
  test("the median of even and odd numbers of values", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  test("a quantile is a value that was measured", () => {
    const values = Array.from({ length: 100 }, (_, n) => 100 - n);
    expect([0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([51, 100, 100]);
    expect(quantile([7], 0.99)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });

  test("ratios are taken within a round, and rounds that one lacks are left out", () => {
    const own = new Map([
      [1, 10],
      [2, 30],
      [3, 5],
    ]);
    const peer = new Map([
      [1, 5],
      [2, 10],
      [4, 1],
    ]);
    expect(ratios(own, peer)).toEqual([2, 3]);
    expect(spread([2, 3])).toEqual({ median: 2.5, low: 2, high: 3, rounds: 2 });
    expect(spread([])).toBeNull();
  });

  test("each follows another neighbour, and all come in every round", () => {
    const orders = [1, 2, 3, 4].map((round) => inTurn(["a", "b", "c"], round).join(""));
    expect(new Set(orders).size).toBeGreaterThan(2);
    for (const order of orders) expect([...order].sort().join("")).toBe("abc");
    expect(inTurn([], 1)).toEqual([]);
  });

  test("growth follows the trend, not the last sample", () => {
    const line = Array.from({ length: 11 }, (_, n) => ({ second: n * 10, bytes: 1000 + n * 5 }));
    expect(growth(line)).toBeCloseTo(50);
    const flat = line.map((sample, n) => ({ ...sample, bytes: 1000 + (n % 2) * 10 }));
    expect(Math.abs(growth(flat))).toBeLessThan(5);
  });

  test("ways to share out rounds", () => {
    expect([choose(10, 5), choose(4, 1), choose(3, 3)]).toEqual([252, 4, 1]);
  });
});

describe("telling a change from noise", () => {
  /** Numbers that look drawn by chance and are the same every time. */
  function noise(seed: number): () => number {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return state / 0x7fffffff;
    };
  }

  /** Figures of two runs of so many rounds, alike but for those that change. */
  function runs(seed: number, figures: number, rounds: number, change: (at: number) => number) {
    const random = noise(seed);
    const draw = (by: number) => Array.from({ length: rounds }, () => by * (0.95 + 0.1 * random()));
    return Array.from({ length: figures }, (_, at) => ({ before: draw(1), after: draw(change(at)) }));
  }

  test("of a hundred figures, the one that changed by three tenths is found, in both directions", () => {
    for (const by of [1.3, 1 / 1.3]) {
      const p = adjustedP(runs(7, 100, 5, (at) => (at === 42 ? by : 1)));
      expect(p[42]).toBeLessThan(0.05);
      expect(p.filter((each) => each < 0.05)).toHaveLength(1);
    }
  });

  test("where nothing changed, something is called changed in no more than one of twenty runs", () => {
    const wrong = Array.from({ length: 60 }, (_, seed) => adjustedP(runs(seed + 1, 30, 5, () => 1))).filter(
      (p) => p.some((each) => each <= 0.05),
    );
    // Five in a hundred are expected; more than nine of sixty would come by chance once in a thousand times.
    expect(wrong.length).toBeLessThanOrEqual(9);
  });

  test("two rounds against two can prove nothing", () => {
    const p = adjustedP([{ before: [1, 1.01], after: [2, 2.01] }]);
    expect(p[0]).toBeGreaterThan(0.05);
  });

  test("many rounds are drawn by chance, with the same verdict every time", () => {
    const many = runs(3, 4, 12, (at) => (at === 0 ? 1.2 : 1));
    const p = adjustedP(many, 1);
    expect(p).toEqual(adjustedP(many, 1));
    expect(p[0]).toBeLessThan(0.001);
    expect(Math.min(...p.slice(1))).toBeGreaterThan(0.05);
  });

  test("figures that never change, and none at all", () => {
    expect(adjustedP([{ before: [1, 1, 1], after: [1, 1, 1] }])).toEqual([1]);
    expect(adjustedP([])).toEqual([]);
  });
});

describe("results", () => {
  test("a figure stands beside its peer's as the ratio within the rounds; what does not count is not in it", () => {
    const figures = figuresOf(part());
    const peer = figures.find(({ stack, metric }) => stack === "uvicorn" && metric === "rate");
    expect(peer?.value.median).toBe(100);
    expect(peer?.against).toEqual({
      stack: "headrace",
      ratio: { median: 2, low: 1.5, high: 2.5, rounds: 3 },
      main: true,
    });
    expect(figures.find(({ stack }) => stack === "headrace")?.against).toBeNull();
  });

  test("a bar that is missed is shown as missed, and so is one of which nothing counts", () => {
    const one = part();
    const all = barsOf({
      ...one,
      bars: [
        { case: "app", stack: "headrace", metric: "p99", most: 10 },
        { case: "app", stack: "headrace", metric: "rate", least: 1_000 },
        { case: "app", stack: "nobody", metric: "rate", least: 1 },
      ],
    });
    expect(all.map(({ reached }) => reached)).toEqual([true, false, false]);
  });

  test("the text names peers, missing ones, faults, bars, commands and what others took", () => {
    const text = markdown(results([part()]));
    expect(text).toContain("| uvicorn | 100 | **2** (1.50 to 2.50) | 10 | **0.50** (0.50 to 0.50) |");
    expect(text).toContain("- Granian: no wheel");
    expect(text).toContain("does not count: app, uvicorn, round 4: 3 of 9 failed");
    expect(text).toContain("| app, headrace: p99 at most 10 ms | 5 | yes |");
    expect(text).toContain("# app: uvicorn\n    bench/.venv/bin/uvicorn");
    expect(text).toContain("CPU that others took of the machine, by round: 1: 10 % (worst 10 %)");
    expect(text).toContain("scripts/bun bench/run.ts --only made-up");
  });

  test("what others took is told for each round", () => {
    expect(othersByRound(part())[0]).toEqual({ round: 1, mean: 0.1, worst: 0.1 });
  });

  test("where Headrace stands: ahead and behind by all rounds, even where they do not agree", () => {
    const one = part();
    const standing = (by: readonly number[]) => {
      const samples = one.samples.map((sample) => {
        const rate = sample.stack === "headrace" ? (by[sample.round - 1] ?? 1) : 1;
        return { ...sample, values: { rate, p99: rate } };
      });
      return standings(results([{ ...one, samples }]));
    };
    const [rate, p99] = standing([0.5, 0.4, 0.25]);
    expect(rate).toEqual({
      part: "made-up",
      peer: "uvicorn",
      metric: "rate",
      ahead: 0,
      behind: 1,
      even: 0,
      worst: { case: "app", times: 2.5 },
    });
    expect(p99).toMatchObject({ metric: "p99", ahead: 1, behind: 0, worst: null });
    expect(standing([2, 2, 0.9])[0]).toMatchObject({ ahead: 0, even: 1, behind: 0 });
    expect(standing([2, 3, 1.1])[0]).toMatchObject({ ahead: 1, even: 0, behind: 0 });
    expect(markdown(results([one]))).toContain("| made-up | uvicorn | rate | 1 | 0 | 0 |  |");
  });

  test("numbers keep three digits", () => {
    expect([12345.6, 123.45, 12.345, 1.2345, 0.012345, 7, Number.NaN].map(shown)).toEqual([
      "12,346",
      "123",
      "12.3",
      "1.23",
      "0.012",
      "7",
      "?",
    ]);
  });

  test("a second run of a day does not write over the first", () => {
    const folder = mkdtempSync(join(tmpdir(), "headrace-bench-test-"));
    try {
      expect(freeStem(folder, "2026-01-02")).toBe(join(folder, "2026-01-02"));
      writeFileSync(join(folder, "2026-01-02.json"), "{}");
      expect(freeStem(folder, "2026-01-02")).toBe(join(folder, "2026-01-02-2"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("flags", () => {
  test("come from the command or the environment, and are checked", () => {
    const given = readSettings(
      { rounds: "7", pin: "0-2:3" },
      { ROUNDS: "9", BUDGET: "60", STACKS: "granian,nginx" },
    );
    expect(given).toEqual({
      rounds: 7,
      seconds: 1,
      budget: 60,
      quick: false,
      pin: { servers: "0-2", load: "3" },
      stacks: ["granian", "nginx"],
      before: null,
    });
    expect(readSettings({}, {}).rounds).toBe(5);
    expect(readSettings({ quick: true }, {}).rounds).toBe(1);
    expect(() => readSettings({ rounds: "none" }, {})).toThrow("--rounds is none");
    expect(() => readSettings({ seconds: "0.5" }, {})).toThrow("whole number above 0");
    expect(() => readSettings({ pin: "first" }, {})).toThrow("such as 0-2:3");
    expect(readSettings({ before: ROOT }, {}).before).toBe(resolve(ROOT));
    expect(() => readSettings({ before: tmpdir() }, {})).toThrow("a checkout of Headrace");
  });

  test("another checkout's Headrace takes the same flags and the same places", () => {
    const own = headrace(RAW, ONE);
    const both = withBefore([own, uvicorn(RAW, ONE)], "/elsewhere");
    expect(both.map(({ name }) => name)).toEqual(["headrace", "uvicorn", "before: headrace"]);
    expect(both[2]).toMatchObject({ alias: "headrace", against: "headrace" });
    const place = { port: 1, spare: 2, scratch: "" };
    const [program, ...flags] = both[2]!.launch(place).command;
    expect(program).toBe("/elsewhere/headrace");
    expect(flags).toEqual(own.launch(place).command.slice(1));
    expect(withBefore([own], null)).toEqual([own]);
  });

  test("the command to repeat a run has what came from the environment, too", () => {
    expect(commandLine(["--label", "it's new"], { ONLY: "cpu,awaits", ROUNDS: "", HOME: "/" })).toBe(
      "ONLY=cpu,awaits scripts/bun bench/run.ts --label 'it'\\''s new'",
    );
  });

  test("requirements are lines without comments, each pinned", () => {
    expect(requirements("# peers\n\na==1\n  b==2\n")).toEqual(["a==1", "b==2"]);
    for (const name of ["requirements.txt", "requirements-ray.txt", "requirements-litserve.txt"]) {
      const lines = requirements(readFileSync(join(import.meta.dir, name), "utf8"));
      expect(lines.length).toBeGreaterThan(10);
      expect(lines.filter((line) => !/^[\w.-]+==[\w.]+$/.test(line))).toEqual([]);
    }
  });
});
