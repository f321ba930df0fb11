/** What is seen while a load runs: on a terminal a few lines written anew, elsewhere a line a second. All of it goes to stderr. */

import { mayMove } from "../../base/terminal.ts";
import { grouped, rateText } from "../../load/figures.ts";
import { liveLine, liveScreen } from "../../load/live.ts";
import type { PlanFacts } from "../../load/result.ts";
import type { Observer, Progress } from "../../load/session.ts";
import type { Io } from "../io.ts";

export class LoadScreen implements Observer {
  readonly #io: Io;
  readonly #quiet: boolean;
  /** Lines on the terminal that the next look writes anew. */
  #lines = 0;
  /** The second that was told last, where there is no terminal. */
  #told = 0;

  constructor(io: Io, quiet: boolean) {
    this.#io = io;
    this.#quiet = quiet;
  }

  begun(plan: PlanFacts, sources: number): void {
    this.#told = 0;
    const processes = `${plan.processes} ${plan.processes === 1 ? "process" : "processes"}`;
    const spread = sources > 1 ? `, from ${sources} addresses` : "";
    this.say(`  ${planLine(plan)}; ${processes}${spread}\n`);
  }

  note(text: string): void {
    this.say(`  ${text}\n`);
  }

  /** A line that stays. */
  say(text: string): void {
    if (this.#quiet) return;
    this.#clear();
    this.#io.err(text);
  }

  progress(progress: Progress): void {
    if (this.#quiet) return;
    if (mayMove(this.#io.stderrIsTerminal, this.#io.env)) {
      const text = liveScreen(progress, this.#io.stderrColumns);
      this.#clear();
      this.#io.err(text);
      this.#lines = text.split("\n").length - 1;
      return;
    }
    const second = Math.floor(progress.atS);
    if (second <= this.#told) return;
    this.#told = second;
    this.#io.err(liveLine(progress));
  }

  /** Takes away what is not to stay. */
  close(): void {
    this.#clear();
  }

  #clear(): void {
    if (this.#lines > 0) this.#io.err(`\x1b[${this.#lines}A\x1b[0J`);
    this.#lines = 0;
  }
}

function planLine({ model, connections, stages, arrivals }: PlanFacts): string {
  if (model === "closed")
    return `closed loop: ${grouped(connections)} at a time, each asks again when it was answered`;
  if (model === "hold") return `holding ${grouped(connections)} connections`;
  const rates = stages.map(({ rate }) => rate);
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  const rate = least === most ? rateText(most) : `${rateText(least)} to ${rateText(most)}`;
  const moments = arrivals === "poisson" ? ", at random moments" : "";
  return `open loop: ${rate} a second for ${stages.at(-1)?.atS ?? 0} s${moments}, at most ${grouped(connections)} at a time`;
}
