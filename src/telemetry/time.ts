/** Writes points in time. What changes once a second is made once a second. */
export class Timestamps {
  readonly #millis = Array.from({ length: 1_000 }, (_, ms) => String(ms).padStart(3, "0"));
  #isoSecond = Number.NaN;
  #isoPrefix = "";
  #clockSecond = Number.NaN;
  #clockPrefix = "";

  /** `2026-01-31T23:59:59.123Z`. @param time Unix milliseconds */
  iso(time: number): string {
    return `${this.isoBare(time)}Z`;
  }

  /** The same without the `Z`. */
  isoBare(time: number): string {
    const second = Math.floor(time / 1_000);
    if (second !== this.#isoSecond) {
      this.#isoSecond = second;
      this.#isoPrefix = `${new Date(second * 1_000).toISOString().slice(0, 19)}.`;
    }
    return `${this.#isoPrefix}${this.#millis[Math.floor(time - second * 1_000)]}`;
  }

  /** `23:59:59.123`, local time. @param time Unix milliseconds */
  clock(time: number): string {
    const second = Math.floor(time / 1_000);
    if (second !== this.#clockSecond) {
      this.#clockSecond = second;
      const date = new Date(second * 1_000);
      const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
      this.#clockPrefix = `${parts.map((part) => String(part).padStart(2, "0")).join(":")}.`;
    }
    return this.#clockPrefix + this.#millis[Math.floor(time - second * 1_000)];
  }
}
