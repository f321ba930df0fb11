/** The two queues of the simulation, on typed arrays: millions of requests pass through them. */

/** Numbers, first in first out. */
export class Fifo {
  #items = new Float64Array(1_024);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#length) & (this.#items.length - 1)] = value;
    this.#length += 1;
  }

  /** The oldest; Infinity when there is none. */
  peek(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : this.#items[this.#head]!;
  }

  shift(): number {
    const value = this.peek();
    if (this.#length === 0) return value;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#length -= 1;
    return value;
  }

  /** Takes the youngest back. */
  pop(): void {
    if (this.#length > 0) this.#length -= 1;
  }

  #grow(): void {
    const larger = new Float64Array(this.#items.length * 2);
    for (let index = 0; index < this.#length; index += 1) {
      larger[index] = this.#items[(this.#head + index) & (this.#items.length - 1)]!;
    }
    this.#items = larger;
    this.#head = 0;
  }
}

/** Times with a tag each, earliest first: a binary heap. */
export class Agenda {
  #times = new Float64Array(1_024);
  #tags = new Int32Array(1_024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The earliest time; Infinity when there is none. */
  get next(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!;
  }

  add(time: number, tag: number): void {
    if (this.#length === this.#times.length) this.#grow();
    let at = this.#length;
    this.#length += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#times[parent]! <= time) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#times[at] = time;
    this.#tags[at] = tag;
  }

  /** Takes the earliest out; answers its tag. */
  take(): number {
    const tag = this.#tags[0]!;
    this.#length -= 1;
    const time = this.#times[this.#length]!;
    const last = this.#tags[this.#length]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#length) break;
      if (child + 1 < this.#length && this.#times[child + 1]! < this.#times[child]!) child += 1;
      if (this.#times[child]! >= time) break;
      this.#move(child, at);
      at = child;
    }
    this.#times[at] = time;
    this.#tags[at] = last;
    return tag;
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from]!;
    this.#tags[to] = this.#tags[from]!;
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2);
    times.set(this.#times);
    const tags = new Int32Array(this.#tags.length * 2);
    tags.set(this.#tags);
    this.#times = times;
    this.#tags = tags;
  }
}
