/** For tests: ticks added up. */

import { Histogram } from "./histogram.ts";
import type { Tick } from "./messages.ts";

const counters = [
  "planned",
  "started",
  "done",
  "failed",
  "late",
  "blocked",
  "dropped",
  "resent",
  "opened",
] as const;
const histograms = ["response", "passed", "service", "firstByte", "connect", "lateness"] as const;

export class Sum {
  planned = 0;
  started = 0;
  done = 0;
  failed = 0;
  late = 0;
  blocked = 0;
  dropped = 0;
  resent = 0;
  opened = 0;
  readonly statuses: Record<string, number> = {};
  readonly failures: Record<string, number> = {};
  readonly response = new Histogram();
  readonly passed = new Histogram();
  readonly service = new Histogram();
  readonly firstByte = new Histogram();
  readonly connect = new Histogram();
  readonly lateness = new Histogram();
  readonly requests = new Map<string, { done: number; failed: number; readonly response: Histogram }>();
  readonly checks = new Map<string, { passed: number; failed: number }>();

  add(tick: Tick): void {
    for (const name of counters) this[name] += tick[name];
    for (const name of histograms) this[name].addSummary(tick[name]);
    for (const key of ["statuses", "failures"] as const)
      for (const [name, count] of Object.entries(tick[key]))
        this[key][name] = (this[key][name] ?? 0) + (count ?? 0);
    for (const [name, { done, failed, response }] of Object.entries(tick.requests)) {
      const one = this.requests.get(name) ?? { done: 0, failed: 0, response: new Histogram() };
      one.done += done;
      one.failed += failed;
      one.response.addSummary(response);
      this.requests.set(name, one);
    }
    for (const [name, { passed, failed }] of Object.entries(tick.checks)) {
      const one = this.checks.get(name) ?? { passed: 0, failed: 0 };
      one.passed += passed;
      one.failed += failed;
      this.checks.set(name, one);
    }
  }
}
