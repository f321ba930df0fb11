/** What parts measure with: starts stacks, takes turns, checks answers before they count, and takes down what was seen. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Answer, probe } from "../load/probe.ts";
import { withBefore } from "../stacks/before.ts";
import type { Stack } from "../stacks/stack.ts";
import type { Bar, Pair, PartResult, Sample, Series, Settings } from "./model.ts";
import { observed, type Use } from "./observed.ts";
import type { Part } from "./part.ts";
import { freePorts, ROOT } from "./places.ts";
import { type Cpu, Group } from "./processes.ts";

/** A request whose right answer is known. */
export interface Check {
  readonly path: string;
  readonly length: number;
  /** Lines of the head that go with it. */
  readonly headers?: readonly string[];
  /** JSON that is posted; without it, the path is got. */
  readonly body?: string;
}

export interface Running {
  readonly stack: Stack;
  readonly group: Group;
  readonly port: number;
  readonly spare: number;
}

/** What one measurement came to. */
export interface Outcome {
  readonly values: Readonly<Record<string, number>>;
  /** Why they do not count; empty when they do. */
  readonly faults: readonly string[];
  /** CPU seconds of the load, so that they are not taken for others'. */
  readonly cpuSeconds: number;
  /** What the stack used becomes figures too. */
  readonly used?: (use: Use) => Readonly<Record<string, number>>;
}

export interface Load {
  readonly case: string;
  /** Which of the stacks that run take part. Default: all. */
  readonly takes?: (stack: string) => boolean;
  measure(running: Running, round: number): Promise<Outcome>;
}

export class Bench {
  readonly #samples: Sample[] = [];
  readonly #pairs: Pair[] = [];
  readonly #bars: Bar[] = [];
  readonly #series: Series[] = [];
  readonly #absent: { case: string; stack: string; why: string }[] = [];
  readonly #commands: Record<string, string> = {};
  readonly #against = new Map<string, Stack>();
  readonly #scratch = mkdtempSync(join(tmpdir(), "headrace-bench-"));
  #places = 0;

  constructor(
    readonly settings: Settings,
    readonly print: (line: string) => void,
  ) {}

  /** The rounds, from 1. */
  get rounds(): readonly number[] {
    return Array.from({ length: this.settings.rounds }, (_, i) => i + 1);
  }

  /** Starts a stack and waits until it answers rightly. */
  async start(name: string, stack: Stack, check: Check): Promise<Running> {
    const port = await freePorts(2);
    const scratch = join(this.#scratch, String(this.#places++));
    mkdirSync(scratch);
    const launch = stack.launch({ port, spare: port + 1, scratch });
    const pin = this.settings.pin === null ? [] : ["taskset", "-c", this.settings.pin.servers];
    const command = [...pin, ...launch.command];
    const env = Object.entries(launch.env ?? {}).map(([key, value]) => `${key}=${value}`);
    this.command(`${name}: ${stack.name}`, [...env, ...(launch.shown ?? command)]);
    const url = `http://127.0.0.1:${port}${stack.ready ?? check.path}`;
    const group = await Group.start(stack.name, { ...launch, command }, url);
    return { stack, group, port, spare: port + 1 };
  }

  /** Starts all, works with those that started, stops them. Those that are missing or fail are named in the result. */
  async keep(
    name: string,
    check: Check,
    stacks: readonly Stack[],
    work: (running: Running[]) => Promise<void>,
  ): Promise<void> {
    const running: Running[] = [];
    try {
      for (const stack of this.present(name, stacks)) {
        try {
          running.push(await this.start(name, stack, check));
        } catch (error) {
          this.absent(name, stack.name, String(error));
        }
      }
      await work(running);
    } finally {
      await Promise.all(running.map(({ group }) => group.stop()));
    }
  }

  /** Those that are installed and wanted; the others are named in the result. */
  present(name: string, stacks: readonly Stack[]): Stack[] {
    const { stacks: wanted, before } = this.settings;
    return withBefore(stacks, before).filter((stack) => {
      if (wanted.length > 0 && !wanted.some((part) => stack.name.includes(part))) return false;
      this.#against.set(stack.name, stack);
      if (stack.missing !== null) this.absent(name, stack.name, stack.missing);
      return stack.missing === null;
    });
  }

  /** Round after round, each of them in turn; nobody always comes after the same neighbour. */
  async turns(running: readonly Running[], loads: readonly Load[]): Promise<void> {
    for (const load of loads) {
      const some = running.filter(({ stack }) => load.takes?.(stack.alias ?? stack.name) ?? true);
      for (const round of this.rounds) {
        for (const each of inTurn(some, round)) await this.measure(each, load, round);
      }
    }
  }

  /** Like `turns`, with a stack started anew for every measurement, and none beside it. */
  async fresh(check: Check, stacks: readonly Stack[], load: Load): Promise<void> {
    const some = this.present(load.case, stacks);
    for (const round of this.rounds) {
      for (const stack of inTurn(some, round)) {
        try {
          const running = await this.start(load.case, stack, check);
          try {
            await this.measure(running, load, round);
          } finally {
            await running.group.stop();
          }
        } catch (error) {
          this.absent(load.case, stack.name, String(error));
        }
      }
    }
  }

  async measure(running: Running, load: Load, round: number): Promise<void> {
    const at = { case: load.case, stack: running.stack.name, round };
    await this.observe(
      at,
      () => running.group.cpuSeconds(),
      () => load.measure(running, round),
    );
  }

  /** Takes down what `work` comes to, with what others took of the machine meanwhile. @param stack what the stack has used so far */
  async observe(
    at: Pick<Sample, "case" | "stack" | "round">,
    stack: () => Cpu,
    work: () => Promise<Outcome>,
  ): Promise<void> {
    const failed = (error: unknown): Outcome => ({ values: {}, faults: [String(error)], cpuSeconds: 0 });
    const { result, use } = await observed(stack, () => work().catch(failed));
    const { values, faults, used } = result;
    this.sample({ ...at, values: { ...values, ...used?.(use) }, others: use.others, faults });
  }

  sample(sample: Sample): void {
    this.#samples.push(sample);
    const figures = Object.entries(sample.values).map(([name, value]) => `${name} ${short(value)}`);
    const end = sample.faults.length > 0 ? `, does not count: ${sample.faults.join("; ").slice(0, 300)}` : "";
    this.print(
      `  ${sample.case} round ${sample.round} ${sample.stack.padEnd(26)} ${figures.join(", ")}${end}`,
    );
  }

  /** Notes a command that the part starts by itself. */
  command(name: string, words: readonly string[]): void {
    const { before } = this.settings;
    const line = words.join(" ").replaceAll(`${ROOT}/`, "");
    this.#commands[name] ??= before === null ? line : line.replaceAll(`${before}/`, "BEFORE/");
  }

  /** Holds one against another, beside those that stacks name themselves. */
  pair(pair: Pair): void {
    this.#pairs.push(pair);
  }

  bar(bar: Bar): void {
    this.#bars.push(bar);
  }

  series(series: Series): void {
    this.#series.push(series);
  }

  absent(name: string, stack: string, why: string): void {
    if (this.#absent.some((each) => each.case === name && each.stack === stack)) return;
    this.print(`  ${name}: without ${stack}: ${why.slice(0, 400)}`);
    this.#absent.push({ case: name, stack, why: why.replaceAll(`${ROOT}/`, "").slice(0, 1000) });
  }

  /** Throws when a stack does not give the right answer. */
  async checked({ port, stack }: Running, { path, length, ...more }: Check): Promise<Answer> {
    const answer = await probe(port, path, more);
    if (answer.status !== 200 || answer.bodyBytes !== length)
      throw new Error(
        `${stack.name} answers ${path} with ${answer.status} and ${answer.bodyBytes} bytes, not 200 and ${length}`,
      );
    return answer;
  }

  result({ name, about, metrics }: Part, seconds: number): PartResult {
    return {
      name,
      about,
      seconds,
      metrics,
      commands: this.#commands,
      pairs: [...this.#pairs, ...pairs(this.#samples, [...this.#against.values()])],
      samples: this.#samples,
      bars: this.#bars,
      series: this.#series,
      absent: this.#absent,
    };
  }

  close(): void {
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/** Every other round goes backwards, and each begins one further on. */
export function inTurn<T>(list: readonly T[], round: number): T[] {
  const from = list.length === 0 ? 0 : round % list.length;
  const turned = [...list.slice(from), ...list.slice(0, from)];
  return round % 2 === 0 ? turned.reverse() : turned;
}

/** Who was held against whom, in each case that has samples of both. */
function pairs(samples: readonly Sample[], stacks: readonly Stack[]): PartResult["pairs"] {
  return [...new Set(samples.map((each) => each.case))].flatMap((name) => {
    const there = new Set(samples.filter((each) => each.case === name).map(({ stack }) => stack));
    const mains = new Set<string>();
    return stacks.flatMap(({ name: peer, against }) => {
      if (against === null || !there.has(peer) || !there.has(against)) return [];
      const main = !mains.has(against);
      mains.add(against);
      return [{ case: name, stack: against, peer, main }];
    });
  });
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
