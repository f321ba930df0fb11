/** Reads the decision tables of golden/, whose README.md tells their form. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { burst } from "./burst.ts";
import { decide, type Outcome } from "./decide.ts";
import { reasonText } from "./reasons.ts";
import { type AutoscalerSettings, checkSettings, defaultSettings, panicWindowMs } from "./settings.ts";
import { type AutoscalerState, freshState, observe, restartedState } from "./state.ts";
import { emptyWindow, record } from "./window.ts";

const FOLDER = join(import.meta.dir, "golden");

interface Row {
  readonly line: number;
  readonly atMs: number;
  readonly demand: string;
  readonly there: string;
  readonly expected: string;
}

interface Case {
  readonly name: string;
  settings: AutoscalerSettings;
  startTimeMs: number | null;
  restart: number | null;
  readonly rows: Row[];
}

function readCases(text: string): Case[] {
  const cases: Case[] = [];
  let head = defaultSettings;
  text.split("\n").forEach((content, index) => {
    const [word = "", ...rest] = content.trim().split(/\s+/);
    const current = cases.at(-1);
    if (word === "" || word.startsWith("#")) return;
    if (word === "case") {
      cases.push({ name: rest.join(" "), settings: head, startTimeMs: 100, restart: null, rows: [] });
    } else if (word === "set") {
      expect(Object.keys(defaultSettings)).toContain(rest[0]!);
      const change = { [rest[0]!]: Number(rest[1]) };
      if (current === undefined) head = { ...head, ...change };
      else current.settings = { ...current.settings, ...change };
    } else if (word === "start") current!.startTimeMs = rest[0] === "unknown" ? null : Number(rest[0]);
    else if (word === "restart") current!.restart = Number(rest[0]);
    else {
      const [demand, there, ...expected] = rest;
      current!.rows.push({
        line: index + 1,
        atMs: Number(word) * 1_000,
        demand: demand!,
        there: there!,
        expected: expected.join(" "),
      });
    }
  });
  return cases;
}

/** Puts what the row says into the state. */
function told(
  state: AutoscalerState,
  row: Row,
  fromMs: number,
  settings: AutoscalerSettings,
): AutoscalerState {
  const averages = /^([\d.]+)\/([\d.]+)$/.exec(row.demand);
  if (averages !== null) {
    const [stable, panic] = [Number(averages[1]), Number(averages[2])];
    const window = (spanMs: number, value: number) => record(emptyWindow(spanMs), row.atMs, value);
    return {
      ...state,
      concurrency: {
        stable: window(settings.stableWindowMs, stable),
        panic: window(panicWindowMs(settings), panic),
      },
    };
  }
  if (row.demand === "-" || row.demand.includes("+")) return state;
  const first = Math.floor(fromMs / 1_000) + 1;
  for (let second = first; second * 1_000 <= row.atMs; second += 1) {
    const sample = { running: Number(row.demand), waiting: 0, refused: 0, arrivalsPerSecond: 0 };
    state = observe(state, { now: second * 1_000, ...sample });
  }
  return state;
}

function answer(state: AutoscalerState, row: Row, each: Case): Outcome {
  const [ready = 0, starting = 0] = row.there.split("+").map(Number);
  const now = row.atMs;
  const { settings, startTimeMs } = each;
  if (row.demand.includes("+")) {
    const [running = 0, waiting = 0, refused = 0] = row.demand.split("+").map(Number);
    return burst(state, { now, ready, starting, running, waiting, refused, startTimeMs }, settings);
  }
  return decide(state, { now, ready, starting, startTimeMs }, settings);
}

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".txt"))) {
  describe(`golden/${file}`, () => {
    const cases = readCases(readFileSync(join(FOLDER, file), "utf8"));
    test("has cases, with settings that can be used", () => {
      expect(cases.length).toBeGreaterThan(2);
      for (const each of cases) {
        expect([each.name, checkSettings(each.settings)]).toEqual([each.name, []]);
        expect(each.rows.length).toBeGreaterThan(0);
      }
    });

    test.each(cases.map((each) => [each.name, each] as const))("%s", (_, each) => {
      const { settings } = each;
      let state = each.restart === null ? freshState(settings) : restartedState(settings, 0, each.restart);
      let before = 0;
      for (const row of each.rows) {
        state = told(state, row, before, settings);
        before = row.atMs;
        const outcome = answer(state, row, each);
        state = outcome.state;
        const { desired, valid, rule, seen, reasons } = outcome.decision;
        const said = `${desired}${valid ? "" : "?"} ${seen.panicking ? "panic" : "stable"} ${rule}`;
        const why = reasons.map(reasonText).join("; ");
        expect(`${file}:${row.line}: ${said} (${why})`).toBe(`${file}:${row.line}: ${row.expected} (${why})`);
      }
    });
  });
}
