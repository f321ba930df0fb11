/** Reads the text format of Prometheus, as much of it as a Headrace writes. Pure. */

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One answer of `/metrics`. */
export class Scrape {
  readonly #samples = new Map<string, Sample[]>();

  constructor(text: string) {
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const parts = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)/.exec(line);
      if (parts === null) continue;
      const [, name, labels = "", value] = parts as unknown as [string, string, string | undefined, string];
      const sample = { labels: readLabels(labels), value: Number(value.replace("Inf", "Infinity")) };
      const samples = this.#samples.get(name);
      if (samples === undefined) this.#samples.set(name, [sample]);
      else samples.push(sample);
    }
  }

  /** Takes away what other services counted, and what was counted before any service was found. Gateways serve all: theirs stays. */
  keep(services: ReadonlySet<string>): this {
    if (this.services.length === 0) return this;
    for (const [name, samples] of this.#samples) {
      if (name.startsWith("headrace_gateway_")) continue;
      const own = samples.filter(({ labels }) => services.has(labels["service"] ?? ""));
      this.#samples.set(name, own);
    }
    return this;
  }

  /** All that are told apart: none where there is only one. */
  get services(): readonly string[] {
    return this.values("headrace_requests_total", "service");
  }

  /** Sum of the samples that have these labels. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    let sum = 0;
    for (const sample of this.#samples.get(name) ?? []) {
      if (Object.entries(labels).every(([key, value]) => sample.labels[key] === value)) sum += sample.value;
    }
    return sum;
  }

  /** The values that a label has, each once. */
  values(name: string, label: string): readonly string[] {
    const found = (this.#samples.get(name) ?? []).map(({ labels }) => labels[label] ?? "");
    return [...new Set(found)].filter((value) => value !== "");
  }

  /** How much a counter grew. A counter that shrank began anew. */
  since(before: Scrape, name: string): number {
    return grown(this.sum(name), before.sum(name));
  }

  /** The same by the values of a label; those that did not grow are left out. */
  sinceBy(before: Scrape, name: string, label: string): Readonly<Record<string, number>> {
    const result: Record<string, number> = {};
    for (const value of this.values(name, label)) {
      const more = grown(this.sum(name, { [label]: value }), before.sum(name, { [label]: value }));
      if (more > 0) result[value] = more;
    }
    return result;
  }

  /** A quantile (0 to 1) of what a histogram counted since, on a straight line within its bucket as Prometheus does; 0 for nothing. */
  quantileSince(before: Scrape, name: string, quantile: number): number {
    return this.quantileIn(before, name, quantile).value;
  }

  /** The same with the end of its bucket, which is the most that it can have been; null where that has no end. */
  quantileIn(
    before: Scrape,
    name: string,
    quantile: number,
  ): { readonly value: number; readonly atMost: number | null } {
    const bounds = this.values(`${name}_bucket`, "le")
      .map((le) => ({ le, bound: Number(le.replace("+Inf", "Infinity")) }))
      .sort((a, b) => a.bound - b.bound);
    const upTo = bounds.map(({ le, bound }) => {
      const of = (scrape: Scrape) => scrape.sum(`${name}_bucket`, { le });
      return { bound, count: grown(of(this), of(before)) };
    });
    const total = upTo.at(-1)?.count ?? 0;
    if (total === 0) return { value: 0, atMost: 0 };
    const rank = quantile * total;
    const at = upTo.findIndex(({ count }) => count >= rank);
    const lower = at === 0 ? { bound: 0, count: 0 } : upTo[at - 1]!;
    const bucket = upTo[at]!;
    if (bucket.bound === Number.POSITIVE_INFINITY) return { value: lower.bound, atMost: null };
    const inside = bucket.count - lower.count;
    const share = inside === 0 ? 0 : (rank - lower.count) / inside;
    return { value: lower.bound + share * (bucket.bound - lower.bound), atMost: bucket.bound };
  }
}

function grown(now: number, before: number): number {
  return now >= before ? now - before : now;
}

function readLabels(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name!] = value!.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}
