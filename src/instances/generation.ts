/**
 * One generation of a pool: the seats that a start or a reload filled. A seat holds one instance and replaces it when it
 * dies; restart.ts says when.
 */

import { randomId } from "../base/ids.ts";
import { plainFailure, type StartFailure } from "./errors.ts";
import type { Launcher } from "./local/launcher.ts";
import { type Ending, type Host, Member, type StartOutcome } from "./member.ts";
import type { Exit, Route } from "./ports.ts";
import { decideRestart, freshSeat, type RestartSettings, type SeatHistory } from "./restart.ts";
import { timings } from "./settings.ts";

interface Seat {
  readonly index: number;
  /** The instance that holds it; undefined between a crash and its replacement. */
  member: Member | undefined;
  history: SeatHistory;
  cancelRestart: () => void;
  /** False once the seat is given up. */
  open: boolean;
}

/** What a seat has lost. */
interface Loss {
  /** Empty when it was told before. */
  readonly instance: string;
  /** Since it was ready; 0 when it never was. */
  readonly uptimeMs: number;
  /** The zygote at whose end it ended; else empty. */
  readonly cause: string;
}

/** Of the first round: who made it has seen the failure. */
const neverReady: Loss = { instance: "", uptimeMs: 0, cause: "" };

/** What makes a generation. Numbers rise from 1. */
export interface Plan {
  readonly number: number;
  readonly launcher: Launcher;
  readonly restart: RestartSettings;
}

export class Generation {
  readonly number: number;
  readonly launcher: Launcher;
  /** Every instance that is not gone yet, retiring ones included. */
  readonly members = new Set<Member>();
  readonly #host: Host;
  readonly #restart: RestartSettings;
  readonly #crashed: (cause: string) => void;
  #seats: Seat[] = [];
  /** Failed starts are not tried again before the first round has shown that the app can start. */
  #accepted = false;

  /** @param crashed called for every crash that may be one of a loop, with the zygote that is the cause of several, or "" */
  constructor(host: Host, plan: Plan, crashed: (cause: string) => void) {
    this.#host = host;
    this.number = plan.number;
    this.launcher = plan.launcher;
    this.#restart = plan.restart;
    this.#crashed = crashed;
  }

  /** Seats that are open. */
  get size(): number {
    return this.#seats.length;
  }

  get readyCount(): number {
    return this.#seats.filter((seat) => seat.member?.machine.state === "ready").length;
  }

  routes(): readonly Route[] {
    return [...this.members].map((member) => member.route).filter((route) => route !== undefined);
  }

  find(id: string): Member | undefined {
    return [...this.members].find((member) => member.id === id);
  }

  /** Fills `count` seats for the first time. Resolves when each is ready or has failed, with the failures. */
  async start(count: number): Promise<readonly StartFailure[]> {
    const outcomes = await Promise.all(this.#grow(count));
    return outcomes.flatMap((outcome) => (outcome.kind === "failed" ? [outcome.failure] : []));
  }

  /** The first round was good enough: from now on failed seats are filled again. */
  accept(): void {
    this.#accepted = true;
    for (const seat of this.#seats) if (seat.member === undefined) this.#again(seat, neverReady);
  }

  /** Opens or gives up seats. Resolves when the new ones are ready or have failed once, and the others are gone. */
  async resize(count: number, drainMs: number): Promise<void> {
    if (count >= this.size) {
      await Promise.all(this.#grow(count - this.size));
      return;
    }
    const leaving = this.#byUse().slice(0, this.size - count);
    await Promise.all(leaving.map((seat) => this.#giveUp(seat, "fewer instances are wanted", drainMs)));
  }

  /** Gives up all seats. Resolves when their instances are gone. */
  async retire(why: string, drainMs: number): Promise<void> {
    const leaving = [...this.members].map((member) => member.retire(why, drainMs));
    await Promise.all([...leaving, ...this.#seats.map((seat) => this.#giveUp(seat, why, drainMs))]);
    // A replacement that was on its way may join meanwhile.
    while (this.members.size > 0) {
      await Promise.all([...this.members].map((member) => member.retire(why, drainMs)));
    }
  }

  /** Ends all instances at once. */
  kill(why: string): void {
    for (const seat of this.#seats) close(seat);
    for (const member of this.members) member.kill(why);
  }

  /** Replaces an instance by a new one that is ready first. Resolves when the new one serves, with the failure when it does not. */
  async recycle(member: Member, drainMs: number, why: string): Promise<StartFailure | undefined> {
    const seat = this.#seats.find((seat) => seat.member === member);
    if (seat === undefined) return plainFailure("start_cancelled", `${member.id} is being replaced already.`);
    const next = this.#member(seat);
    const outcome = await next.start();
    if (outcome.kind === "failed") return outcome.failure;
    if (seat.member !== member || !seat.open) {
      // It died or was given up meanwhile, and its seat is taken care of.
      void next.retire("its seat is taken", drainMs);
      return undefined;
    }
    seat.member = next;
    await this.#host.sync();
    void member.retire(why, drainMs);
    return undefined;
  }

  /** Replaces an instance that is stuck: it leaves routing, its replacement starts at once. Resolves when the stuck one is gone. */
  async expel(member: Member, why: string): Promise<void> {
    const seat = this.#seats.find((seat) => seat.member === member);
    const gone = member.expel(why, timings.stuckGraceMs);
    if (seat !== undefined) {
      seat.member = undefined;
      void this.#fill(seat);
    }
    await gone;
  }

  /** Seats without a serving instance come first, then those with the fewest requests, of equals the youngest. */
  #byUse(): readonly Seat[] {
    const { rows } = this.#host.ports;
    const used = this.#seats.map((seat) => {
      const row = seat.member?.row ?? -1;
      return { seat, rank: rank(seat), inFlight: row < 0 ? 0 : rows.inFlight(row) };
    });
    used.sort((a, b) => a.rank - b.rank || a.inFlight - b.inFlight || b.seat.index - a.seat.index);
    return used.map(({ seat }) => seat);
  }

  #grow(count: number): Promise<StartOutcome>[] {
    const outcomes: Promise<StartOutcome>[] = [];
    for (let n = 0; n < count; n++) {
      const index = (this.#seats.at(-1)?.index ?? -1) + 1;
      const seat: Seat = {
        index,
        member: undefined,
        history: freshSeat,
        cancelRestart: () => {},
        open: true,
      };
      this.#seats.push(seat);
      outcomes.push(this.#fill(seat));
    }
    return outcomes;
  }

  async #fill(seat: Seat): Promise<StartOutcome> {
    if (!seat.open) return { kind: "failed", failure: plainFailure("start_cancelled") };
    const member = this.#member(seat);
    seat.member = member;
    const outcome = await member.start();
    if (outcome.kind === "ready") await this.#host.sync();
    else if (seat.member === member) {
      seat.member = undefined;
      if (this.#accepted)
        this.#again(seat, { instance: member.id, uptimeMs: 0, cause: causeOf(outcome.failure.exit) });
    }
    return outcome;
  }

  #member(seat: Seat): Member {
    const naming = { id: `i-${randomId(6)}`, generation: this.number, seat: seat.index };
    const member = new Member(this.#host, this.launcher, naming, (_, ending) =>
      this.#ended(seat, member, ending),
    );
    this.members.add(member);
    void member.gone.then(() => this.members.delete(member));
    return member;
  }

  #ended(seat: Seat, member: Member, ending: Ending): void {
    void this.#host.sync();
    // A start that failed is seen by whoever started it.
    if (ending.expected || member.ready === undefined || seat.member !== member) return;
    seat.member = undefined;
    const { uptimeMs, exit } = ending;
    this.#again(seat, { instance: member.id, uptimeMs, cause: causeOf(exit) });
  }

  #again(seat: Seat, { instance, uptimeMs, cause }: Loss): void {
    if (!seat.open) return;
    const { clock, event, random } = this.#host.ports;
    const crash = { uptimeMs, random: random() };
    const { delayMs, history, again, reasons } = decideRestart(seat.history, crash, this.#restart);
    seat.history = history;
    event({ kind: "restart", seat: seat.index, instance, delayMs, reasons });
    if (again) this.#crashed(cause);
    if (delayMs === 0) void this.#fill(seat);
    else seat.cancelRestart = clock.after(delayMs, () => void this.#fill(seat));
  }

  async #giveUp(seat: Seat, why: string, drainMs: number): Promise<void> {
    close(seat);
    this.#seats = this.#seats.filter((other) => other !== seat);
    await seat.member?.retire(why, drainMs);
  }
}

function close(seat: Seat): void {
  seat.open = false;
  seat.cancelRestart();
}

function causeOf(exit: Exit | null): string {
  return exit?.zygote ?? "";
}

/** Lower leaves first. */
function rank(seat: Seat): number {
  if (seat.member === undefined) return 0;
  return seat.member.machine.state === "ready" ? 2 : 1;
}
