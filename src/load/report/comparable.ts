/** What two runs have to have in common for their difference to mean something. Pure. */

import type { LoadResult, PlanFacts } from "../result.ts";
import { count, duration, share, short, span } from "./format.ts";

/** Something a reader of a comparison has to know. */
export interface Reservation {
  /** The runs say nothing of each other. */
  readonly grave: boolean;
  readonly text: string;
}

/** What differs between two runs other than their figures, the gravest first. */
export function comparability(before: LoadResult, after: LoadResult): Reservation[] {
  const found = [...verdicts(before, after), ...plans(before, after), ...surroundings(before, after)];
  return found.sort((a, b) => Number(b.grave) - Number(a.grave));
}

function verdicts(before: LoadResult, after: LoadResult): Reservation[] {
  return (
    [
      ["earlier", before],
      ["later", after],
    ] as const
  ).flatMap(([which, { verdict, generator, totals }]): Reservation[] => {
    if (verdict === "invalid")
      return [
        {
          grave: true,
          text: `The generator fell short in the ${which} run${generator.saturated === null ? "" : ` (${generator.saturated.replace(/\.$/, "")})`}: it says little about the service.`,
        },
      ];
    if (verdict === "interrupted") return [{ grave: true, text: `The ${which} run was interrupted.` }];
    const failed = totals.done === 0 ? 0 : totals.failed / totals.done;
    if (failed > 0.01)
      return [
        {
          grave: false,
          text: `${share(failed)} failed in the ${which} run; what was refused quickly makes latencies look better.`,
        },
      ];
    return [];
  });
}

function plans(before: LoadResult, after: LoadResult): Reservation[] {
  const [a, b] = [before.plan, after.plan];
  if (a.model !== b.model) return [{ grave: true, text: `The models differ: ${a.model} and ${b.model}.` }];
  if (before.steps.length > 0 !== after.steps.length > 0)
    return [{ grave: true, text: "One run searched for the highest rate (--find-max), the other did not." }];
  const found: Reservation[] = [];
  const differs = (grave: boolean, what: string, [here, there]: readonly [string, string]) => {
    if (here !== there) found.push({ grave, text: `${what}: ${here} and ${there}.` });
  };
  const search = before.steps.length > 0;
  if (a.model === "open" && !search) {
    differs(true, "The planned rates differ", [stages(a), stages(b)]);
    differs(false, "The arrivals differ", [a.arrivals ?? "none", b.arrivals ?? "none"]);
  }
  differs(
    a.model !== "open",
    a.model === "open" ? "The connections that may be open differ" : "The connections differ",
    [count(a.connections), count(b.connections)],
  );
  const [short_, long] = [before.durationS, after.durationS].sort((x, y) => x - y) as [number, number];
  if (!search && long > short_ * 1.1)
    differs(false, "The durations differ", [span(before.durationS), span(after.durationS)]);
  differs(false, "The timeouts differ", [duration(a.timeoutMs), duration(b.timeoutMs)]);
  return found;
}

function surroundings(before: LoadResult, after: LoadResult): Reservation[] {
  const found: Reservation[] = [];
  const differs = (grave: boolean, what: string, pick: (result: LoadResult) => string) => {
    const [here, there] = [pick(before), pick(after)];
    if (here !== there) found.push({ grave, text: `${what}: ${here} and ${there}.` });
  };
  differs(true, "The machines differ", ({ machine }) => `${machine.cpus} × ${machine.cpuModel}`);
  differs(true, "The service was on the generator's machine in one run only", ({ machine }) =>
    machine.local ? "the same" : "another",
  );
  differs(false, "The kernels differ", ({ machine }) => machine.kernel);
  differs(false, "The targets differ", ({ target }) =>
    target.kind === "url" ? `${target.method} ${target.name}` : target.name,
  );
  differs(false, "Different versions of Headrace measured", ({ version }) => version);
  return found;
}

function stages({ stages: points }: PlanFacts): string {
  const rates = new Set(points.map((point) => point.rate));
  if (rates.size === 1) return `${short(points[0]!.rate)}/s`;
  return points.map((point) => `${short(point.rate)}/s at ${span(point.atS)}`).join(", ");
}
