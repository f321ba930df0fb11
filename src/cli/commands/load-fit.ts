/** Which flag says something of which kind of load. A flag that would be passed over in silence is refused. */

import type { Origin } from "../../config/parse.ts";
import type { Problem } from "../../config/problem.ts";
import type { LoadValues } from "./load-options.ts";

export type LoadKind = "open" | "search" | "closed" | "hold" | "users" | "iterations" | "locust" | "compare";

/** What each is called where a flag does not fit it. */
const NAMES: Readonly<Record<LoadKind, string>> = {
  open: "a load by rate",
  search: "--find-max",
  closed: "a closed loop (--connections)",
  hold: "--hold",
  users: "a scenario with users",
  iterations: "a scenario by rate",
  locust: "a Locust file",
  compare: "--compare",
};

const URLS = ["open", "search", "closed", "hold"] as const;
const SCENARIOS = ["users", "iterations"] as const;
const FILES = [...SCENARIOS, "locust"] as const;
const LOADS = [...URLS, ...FILES] as const;

interface Row {
  readonly for: readonly LoadKind[];
  /** What to write where it does not fit. */
  readonly instead?: string;
  /** What is wrong and what to write, where there is more to say of a kind. */
  readonly but?: { readonly [K in LoadKind]?: readonly [message: string, instead: string] };
}

const IN_FILE = "Say it in the file, or leave it out.";

const rows: Readonly<Record<keyof LoadValues, Row>> = {
  rate: {
    for: ["open", "search", "hold", "iterations"],
    but: {
      closed: [
        "A closed loop has no rate: it asks when it was answered.",
        "Leave --connections out, or limit them with --max-connections.",
      ],
      locust: [
        "Locust's users wait for their answers: they have no rate.",
        "Write --users, or a scenario of your own.",
      ],
    },
  },
  stages: { for: ["open", "iterations"], instead: "Leave it out, or what it does not fit." },
  connections: { for: ["closed", "hold", ...SCENARIOS, "locust"] },
  requests: { for: ["closed"], instead: "Write --connections too, or --duration for a load by rate." },
  hold: { for: ["hold"] },
  openRate: { for: ["hold"] },
  users: { for: FILES },
  spawnRate: { for: ["users", "locust"] },
  duration: { for: ["open", "closed", ...FILES], instead: "Write --step-duration or the time of --hold." },
  warmup: { for: LOADS },
  arrivals: { for: ["open", "search", "iterations"] },
  maxConnections: {
    for: ["open", "search"],
    instead: "Write --connections where it says how many there are.",
  },
  timeout: { for: LOADS },
  host: { for: FILES },
  method: { for: URLS, instead: IN_FILE },
  header: { for: [...URLS, ...SCENARIOS], instead: IN_FILE },
  data: { for: URLS, instead: IN_FILE },
  urls: { for: URLS, instead: IN_FILE },
  keepalive: { for: ["open", "search", "closed"], instead: IN_FILE },
  connectTo: { for: URLS },
  insecure: { for: [...URLS, ...SCENARIOS], instead: IN_FILE },
  cacert: { for: URLS, instead: IN_FILE },
  expectStatus: { for: URLS, instead: IN_FILE },
  expectLength: { for: URLS, instead: IN_FILE },
  expectBody: { for: URLS, instead: IN_FILE },
  failIf: { for: LOADS },
  findMax: { for: ["search"], instead: "It looks for a rate: leave --connections, --hold and --stages out." },
  slo: { for: ["search"], instead: "Write --find-max too, or --fail-if with the opposite." },
  stepDuration: { for: ["search"], instead: "Write --find-max too, or --duration." },
  json: { for: [...LOADS, "compare"] },
  csv: { for: LOADS },
  html: { for: LOADS },
  quiet: { for: LOADS },
  compare: { for: ["compare"] },
  processes: { for: LOADS },
  seed: { for: [...URLS, ...SCENARIOS] },
  python: { for: FILES },
  admin: { for: LOADS },
};

/** The flags that were given and say nothing of this kind of load. */
export function unfitFlags(
  kind: LoadKind,
  origins: { readonly [K in keyof LoadValues]: Origin },
): readonly Problem[] {
  return Object.entries(rows).flatMap(([name, row]) => {
    const subject = origins[name as keyof LoadValues];
    if (subject === "" || row.for.includes(kind)) return [];
    const usual = [`It says nothing of ${NAMES[kind]}.`, row.instead ?? "Leave it out."] as const;
    const [message, instead] = row.but?.[kind] ?? usual;
    return [{ code: "conflict" as const, subject, message, instead }];
  });
}

/** The kind of a load to URLs. */
export function kindOf(values: LoadValues): LoadKind {
  if (values.compare) return "compare";
  if (values.findMax) return "search";
  if (values.hold > 0) return "hold";
  return values.connections > 0 ? "closed" : "open";
}
