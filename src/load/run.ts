/**
 * One run: processes prepared, started at one moment, listened to until the last is done.
 *
 * ```
 *   prepared ──all ready──▶ running ──all done──▶ over
 *       └── one failed ──▶ over     └─ interrupted ─▶ finishing ─▶ over
 * ```
 */

import { HeadraceError } from "../base/errors.ts";
import { Collector } from "./collect.ts";
import { loadErrors } from "./errors.ts";
import type { FromGenerator } from "./messages.ts";
import type { GeneratorProcess } from "./process.ts";

/** How long a process that is done may take to exit. */
const EXIT_MS = 2_000;
/** Notes that the result keeps; all are told as they come. */
const MOST_NOTES = 20;
/** Time for every process to hear of the start before it comes. */
const LEAD_MS = 150;

export interface Running {
  readonly collector: Collector;
  /** Unix milliseconds. */
  readonly startsAt: number;
  /** What the processes had to say, without repetitions. */
  readonly notes: readonly string[];
  /** Ends early: begins nothing more, and gives up what is in flight after the grace. */
  finish(graceMs: number): void;
  /** Resolves when all is counted. Rejects when a process died. */
  readonly over: Promise<void>;
}

/**
 * Sends each process its plan and starts all of them at one moment. Throws HeadraceError when one cannot do what it is told.
 * @param told hears what the processes have to say, as they say it
 */
export async function start<Plan>(
  processes: readonly GeneratorProcess<Plan>[],
  plans: readonly Plan[],
  told: (note: string) => void,
): Promise<Running> {
  const collector = new Collector();
  const notes: string[] = [];
  const note = (text: string) => {
    told(text);
    if (notes.length < MOST_NOTES && !notes.includes(text)) notes.push(text);
  };
  const listeners = processes.map((process, index) => listen(process, index, { collector, note }));
  try {
    for (const [index, process] of processes.entries()) process.send({ type: "plan", plan: plans[index]! });
    await Promise.all(listeners.map(({ ready }) => ready));
  } catch (error) {
    for (const process of processes) process.kill();
    throw error;
  }
  const startsAt = Date.now() + LEAD_MS;
  for (const process of processes) process.send({ type: "go", at: startsAt });
  return {
    collector,
    startsAt,
    notes,
    finish: (graceMs) => {
      for (const process of processes) process.send({ type: "finish", graceMs });
    },
    over: over(processes, listeners),
  };
}

async function over<Plan>(
  processes: readonly GeneratorProcess<Plan>[],
  listeners: readonly { readonly done: Promise<void> }[],
): Promise<void> {
  try {
    await Promise.all(listeners.map(({ done }) => done));
    // They end by themselves; waited for, what they used counts as ours.
    await Promise.race([Promise.all(processes.map(({ exited }) => exited)), Bun.sleep(EXIT_MS)]);
  } finally {
    for (const process of processes) process.kill();
  }
}

/** What it said: a sentence, and below it what it stands on, such as a traceback. */
function failed(message: string): HeadraceError {
  const [sentence = "", ...detail] = message.split("\n");
  return new HeadraceError("load_failed", sentence, {
    exit: loadErrors.load_failed.exit,
    detail: detail.join("\n"),
  });
}

function listen<Plan>(
  process: GeneratorProcess<Plan>,
  index: number,
  into: { readonly collector: Collector; readonly note: (text: string) => void },
): { readonly ready: Promise<void>; readonly done: Promise<void> } {
  const ready = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  // Whoever waits for the one may never look at the other.
  for (const { promise } of [ready, done]) promise.catch(() => {});
  const hear: Readonly<{
    [T in FromGenerator["type"]]: (message: Extract<FromGenerator, { type: T }>) => void;
  }> = {
    ready: () => ready.resolve(),
    failed: ({ message }) => ready.reject(failed(message)),
    note: ({ text }) => into.note(text),
    tick: (tick) => into.collector.add(index, tick),
    done: () => done.resolve(),
  };
  process.listen((message) => (hear[message.type] as (message: FromGenerator) => void)(message));
  void process.exited.then((how) => {
    const message = `A generator process (pid ${process.pid}) ended before it was done: ${how}.`;
    const error = new HeadraceError("load_died", message);
    ready.reject(error);
    done.reject(error);
  });
  return { ready: ready.promise, done: done.promise };
}
