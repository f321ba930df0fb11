import { describe, expect, test } from "bun:test";
import { Arrivals } from "./arrivals.ts";
import { seededRandom } from "./random.ts";
import { expectedRequests, readTrace, type Trace } from "./trace.ts";

function trace(text: string): Trace {
  const read = readTrace(text);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.trace;
}

describe("a trace", () => {
  test("rows last until the next, the last as long as the one before it, and time begins at zero", () => {
    const { rows, durationMs } = trace("time_s,rate\n100,10\n100.5,20\n103,0\n");
    expect(rows.map(({ fromMs, toMs, arrivals }) => [fromMs, toMs, arrivals])).toEqual([
      [0, 500, 5],
      [500, 3_000, 50],
      [3_000, 5_500, 0],
    ]);
    expect(durationMs).toBe(5_500);
  });

  test("a single row lasts a second", () => {
    expect(trace("time_s,arrivals\n7,3").rows).toEqual([
      { fromMs: 0, toMs: 1_000, arrivals: 3, counted: true, serviceTimeMs: null, serviceCv: null },
    ]);
  });

  test("titles in any order and case, spaces, comments, empty lines, Windows line ends, a byte order mark", () => {
    const text =
      "\uFEFF# recorded\r\n Service_MS , RATE,time_s,service_cv\r\n\r\n80, 1e2 ,0,0.5\r\n # noon\r\n,.5,10,\r\n";
    expect(trace(text).rows).toEqual([
      { fromMs: 0, toMs: 10_000, arrivals: 1_000, counted: false, serviceTimeMs: 80, serviceCv: 0.5 },
      { fromMs: 10_000, toMs: 20_000, arrivals: 5, counted: false, serviceTimeMs: null, serviceCv: null },
    ]);
    expect(expectedRequests(trace(text))).toBe(1_005);
  });

  test("fields may be quoted", () => {
    const text = '"time_s", "rate"\r\n"0","1e1"\r\n# a quote: "\r\n5 ,"20" \r\n';
    expect(trace(text).rows.map(({ fromMs, toMs, arrivals }) => [fromMs, toMs, arrivals])).toEqual([
      [0, 5_000, 50],
      [5_000, 10_000, 100],
    ]);
  });

  test("the table of headrace load is known by its titles: what was begun in each span, by its end", () => {
    const text =
      'time_s,span_s,warmup,started,"status_a,""b"""\r\n1,1,true,10,\r\n2,1,false,12,"odd\r\n"\r\n2.5,0.5,false,3,\r\n';
    expect(trace(text).rows.map(({ fromMs, toMs, arrivals }) => [fromMs, toMs, arrivals])).toEqual([
      [0, 1_000, 10],
      [1_000, 2_000, 12],
      [2_000, 2_500, 3],
    ]);
    expect(trace(text).rows.every(({ counted }) => counted)).toBe(true);
  });

  // biome-ignore-start format: a table
  const wrong: readonly (readonly [string, string])[] = [
    ["", "1:1: It is empty. Write a line of titles, such as time_s,rate, and rows."],
    ["# only\n\n", "1:1: It is empty. Write a line of titles, such as time_s,rate, and rows."],
    ["time_s,rate\n", "1:1: It has titles and no rows. Write a row."],
    [
      "\ntime_s, speed\n0,1",
      '2:9: There is no column "speed". Columns are time_s, arrivals, rate, service_ms, service_cv.',
    ],
    [
      "time_s,,rate\n0,1,2",
      "1:8: A title is empty. Columns are time_s, arrivals, rate, service_ms, service_cv.",
    ],
    ["time_s,rate,rate\n0,1,2", "1:13: The column rate is there twice. Leave one out."],
    ["rate\n1", "1:1: There is no column time_s. Write the seconds at which each row begins."],
    ["time_s,rate,arrivals\n0,1,1", "1:1: There are both arrivals and rate. Leave one out."],
    [
      "time_s,service_ms\n0,1",
      "1:1: There is no column arrivals, nor rate. Write arrivals (requests until the next row) or rate (requests per second).",
    ],
    ["time_s,rate\n0,1\n1, many\n", '3:4: rate is "many". Write a number, such as 12 or 0.5.'],
    ["time_s,rate\n0,\n", '2:3: rate is "". Write a number, such as 12 or 0.5.'],
    ["time_s,rate\n0,0x10\n", '2:3: rate is "0x10". Write a number, such as 12 or 0.5.'],
    ["time_s,rate\n0,Infinity\n", '2:3: rate is "Infinity". Write a number, such as 12 or 0.5.'],
    ["time_s,rate\n0,-1\n", '2:3: rate is "-1". Write a number that is not negative.'],
    ["time_s,rate\n0,1e99\n", '2:3: rate is "1e99". Write a smaller number.'],
    ["time_s,arrivals\n0,1.5\n", '2:3: arrivals is "1.5". Write a whole number, or use the column rate.'],
    ["time_s,rate,service_ms\n0,1,0\n", '2:5: service_ms is "0". Write a time above 0.'],
    ["time_s,rate\n5,1\n5,1\n", '3:1: time_s is "5". Write a time after that of the row before, which is 5.'],
    ["time_s,rate\n0,1,9\n", "2:5: There are 3 fields under 2 titles. Write time_s,rate."],
    [
      'time_s,rate\n0,"1\n',
      '2:3: A quote is not closed. Write "…" around a whole field, and "" for a quote in it.',
    ],
    [
      '"time_s","rate"\n"0","1" 2\n',
      '2:9: There is text after a quoted field. Write "…" around a whole field, and "" for a quote in it.',
    ],
    [
      'time_s,span_s,started,"odd\nname"\n1,1,x,\n',
      '3:5: started is "x". Write a number, such as 12 or 0.5.',
    ],
    [
      "time_s,span_s,started\n1,1,1\n2,5,1\n",
      "3:1: The row begins at -3, and the one before it at 0. Write rows in the order of time.",
    ],
    ["time_s,rate\n0\n", "2:2: There are 1 fields under 2 titles. Write time_s,rate."],
  ];
  // biome-ignore-end format: a table
  test.each(wrong)("%j is told with line and column", (text, told) => {
    const read = readTrace(text);
    const lines = read.ok
      ? []
      : read.problems.map((each) => `${each.line}:${each.column}: ${each.message} ${each.instead}`);
    expect(lines).toEqual([told]);
  });

  test("one that could not be replayed in seconds is told, whatever its times count from", () => {
    expect(trace("time_s,rate\n1e9,10\n1000086400,10\n").durationMs).toBe(2 * 86_400_000);
    for (const text of [
      "time_s,rate\n0,10\n60,1\n1e9,10\n",
      "time_s,rate\n0,10\n60,10\n9000000,1\n9000001,1\n",
    ]) {
      const read = readTrace(text);
      if (read.ok) throw new Error("it was read");
      expect(read.problems.map(({ line, instead }) => [line, instead])).toEqual([
        [3, "Write a part of it, with times in seconds."],
      ]);
      expect(read.problems[0]!.message).toMatch(
        /^The trace is \d+ days long, and from here on longer than 92\.$/,
      );
    }
  });

  test("all that is wrong is told at once, up to a limit", () => {
    const read = readTrace(`time_s,rate\n0,x\n1,1\n2,y\n${"z,z\n".repeat(100)}`);
    if (read.ok) throw new Error("it was read");
    expect(read.problems.slice(0, 2).map(({ line }) => line)).toEqual([2, 4]);
    expect(read.problems.length).toBeLessThan(25);
  });
});

describe("arrivals", () => {
  function times(text: string, even: boolean, seed = 1): number[] {
    const arrivals = new Arrivals(trace(text), seededRandom(seed), even);
    const found: number[] = [];
    for (; arrivals.next < Number.POSITIVE_INFINITY; arrivals.advance()) found.push(arrivals.next);
    return found;
  }

  test("even ones keep their distance over the rows", () => {
    expect(times("time_s,rate\n0,4\n1,2\n2,2", true)).toEqual([
      125, 375, 625, 875, 1_250, 1_750, 2_250, 2_750,
    ]);
    // Half a request of the first second is carried over two seconds of nothing.
    expect(times("time_s,rate\n0,1\n1,0\n3,1\n4,1", true)).toEqual([500, 3_500, 4_500]);
    expect(times("time_s,arrivals\n0,3\n1,0", true)).toHaveLength(3);
  });

  test("counts are exact, in order, and within their rows", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const found = times("time_s,arrivals\n0,100\n10,0\n20,1000\n30,7", false, seed);
      const within = (from: number, to: number) => found.filter((at) => at >= from && at < to).length;
      expect([within(0, 10_000), within(10_000, 20_000), within(20_000, 30_000), found.length]).toEqual([
        100, 0, 1_000, 1_107,
      ]);
      expect(found).toEqual(found.toSorted((a, b) => a - b));
    }
  });

  test("rates come by chance: as a Poisson process, mean and variance are alike", () => {
    const found = times("time_s,rate\n0,20\n1000,20", false);
    const counts = new Array<number>(2_000).fill(0);
    for (const at of found) counts[Math.floor(at / 1_000)]! += 1;
    const mean = found.length / 2_000;
    const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / 2_000;
    expect(Math.abs(mean - 20)).toBeLessThan(0.5);
    expect(Math.abs(variance - 20)).toBeLessThan(2);
  });
});

describe("chance", () => {
  test("is the same for the same seed, and another for another", () => {
    const some = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 5 }, () => random.next());
    };
    expect(some(1)).toEqual(some(1));
    expect(some(1)).not.toEqual(some(2));
    expect(some(0).every((value) => value >= 0 && value < 1)).toBe(true);
  });

  test("service times have the mean and the spread that were asked for", () => {
    const random = seededRandom(3);
    for (const cv of [0, 0.5, 1]) {
      const values = Array.from({ length: 50_000 }, () => random.positive(100, cv));
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      expect(Math.abs(mean - 100)).toBeLessThan(3);
      expect(Math.abs(spread / 100 - cv)).toBeLessThan(0.1);
      expect(Math.min(...values.slice(0, 1_000))).toBeGreaterThan(0);
    }
  });
});
