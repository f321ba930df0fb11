/** What is seen while a load runs: on a terminal a few lines written anew, elsewhere a line a second. All of it goes to stderr. */

import { grouped } from "../../load/figures.ts";
import { liveLine, liveScreen } from "../../load/live.ts";
import type { Prepared } from "../../load/prepare.ts";
import type { Observer, Progress } from "../../load/session.ts";
import type { Shape } from "../../load/settings.ts";
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

  begun(prepared: Prepared, shape: Shape): void {
    this.#told = 0;
    const processes = prepared.plans.length;
    const spread = prepared.sources.length > 1 ? `, from ${prepared.sources.length} addresses` : "";
    this.say(
      `  ${planLine(shape, prepared.connections)}; ${processes} ${processes === 1 ? "process" : "processes"}${spread}\n`,
    );
  }

  /** A line that stays. */
  say(text: string): void {
    if (this.#quiet) return;
    this.#clear();
    this.#io.err(text);
  }

  progress(progress: Progress): void {
    if (this.#quiet) return;
    if (this.#io.stderrIsTerminal) {
      const text = liveScreen(progress, this.#io.columns);
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

function planLine(shape: Shape, connections: number): string {
  if (shape.model === "closed")
    return `closed loop: ${grouped(connections)} connections, each asks again when it was answered`;
  if (shape.model === "hold")
    return `holding ${grouped(connections)} connections for ${shape.holdMs / 1_000} s`;
  const rates = shape.stages.map(({ rate }) => rate);
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  const rate = least === most ? `${grouped(most)}` : `${grouped(least)} to ${grouped(most)}`;
  return `open loop: ${rate} requests/s for ${(shape.stages.at(-1)?.atMs ?? 0) / 1_000} s${shape.poisson ? ", at random moments" : ""}, over at most ${grouped(connections)} connections`;
}
