/**
 * Instances with slots. Requests go to the instance with the fewest; scale-in takes those with the fewest. Every step is a matter
 * of a few list operations, however many instances there are.
 */

/** Instances of the same number of requests in flight, as indexes of the fleet. */
type Level = number[];

export class Fleet {
  readonly #concurrency: number;
  readonly #levels: Level[];
  /** By instance: requests in flight; place in its level, or -1 while it takes none any more. */
  readonly #inFlight: number[] = [];
  readonly #place: number[] = [];
  readonly #free: number[] = [];
  /** No level below this one holds an instance. */
  #lowest = 0;
  ready = 0;
  draining = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
    this.#levels = Array.from({ length: concurrency + 1 }, () => []);
  }

  /** An instance is ready. */
  add(): void {
    const id = this.#free.pop() ?? this.#inFlight.length;
    this.#inFlight[id] = 0;
    this.#enter(id, 0);
    this.ready += 1;
  }

  /** Takes a slot; answers its instance, or -1 when all are taken. */
  take(): number {
    if (this.ready === 0) return -1;
    while (this.#levels[this.#lowest]!.length === 0) this.#lowest += 1;
    const level = this.#lowest;
    if (level === this.#concurrency) return -1;
    const id = this.#levels[level]!.pop()!;
    this.#inFlight[id] = level + 1;
    this.#enter(id, level + 1);
    return id;
  }

  /** Gives a slot back. True when it can be taken again: its instance is not about to stop. */
  release(id: number): boolean {
    const before = this.#inFlight[id]!;
    this.#inFlight[id] = before - 1;
    if (this.#place[id] !== -1) {
      this.#leave(id, before);
      this.#enter(id, before - 1);
      return true;
    }
    if (before === 1) {
      this.draining -= 1;
      this.#free.push(id);
    }
    return false;
  }

  /** Takes the idlest instance out. One with requests drains: it finishes them and takes no more. */
  remove(): void {
    while (this.#levels[this.#lowest]!.length === 0) this.#lowest += 1;
    const level = this.#lowest;
    const id = this.#levels[level]!.pop()!;
    this.#place[id] = -1;
    this.ready -= 1;
    if (level === 0) this.#free.push(id);
    else this.draining += 1;
    if (this.ready === 0) this.#lowest = 0;
  }

  #enter(id: number, level: number): void {
    const list = this.#levels[level]!;
    this.#place[id] = list.length;
    list.push(id);
    if (level < this.#lowest) this.#lowest = level;
  }

  #leave(id: number, level: number): void {
    const list = this.#levels[level]!;
    const last = list.pop()!;
    const place = this.#place[id]!;
    if (last === id) return;
    list[place] = last;
    this.#place[last] = place;
  }
}
