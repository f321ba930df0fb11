/** What can be seen of the services of an application, each with several revisions. */

import type { ApplicationConfig, ServiceConfig } from "../config/file/config.ts";
import { revisionName } from "../config/service.ts";
import type { Routing } from "../gateway/settings.ts";
import type { RevisionShare, StatusReport } from "../model/instance.ts";
import type { RevisionReport, ShadowReport, TargetReport, TrafficReport } from "../model/revision.ts";
import type { DecisionReport } from "../model/scaling.ts";
import { VERSION } from "../model/version.ts";
import type { ServiceMetrics } from "./application-metrics.ts";
import type { Live } from "./fleet.ts";
import { shownOptions } from "./revisions/record.ts";
import type { ServiceState } from "./revisions/store.ts";
import { type Mirrored, needed, type Target, weightOf } from "./revisions/traffic.ts";
import type { Rollouts } from "./rollout/rollouts.ts";

/** A service as it runs. */
export interface Service {
  readonly config: ServiceConfig;
  readonly state: ServiceState;
  /** It was stopped: nothing of it runs. */
  readonly stopped: boolean;
  /** Its revisions with a share or a tag, by number. */
  readonly live: ReadonlyMap<number, Live>;
}

/** What the gateways are told. */
export function routing(config: ApplicationConfig, services: ReadonlyMap<string, Service>): Routing {
  return {
    redirects: config.redirects,
    services: config.services.map(({ name, routes, splitBy }) => {
      const { state, live, stopped } = services.get(name)!;
      if (stopped) return { service: name, routes, splitBy, split: [], stopped, tags: [], shadow: null };
      const key = (revision: number) => live.get(revision)!.revision.key;
      const { targets, tags, shadow } = state.traffic;
      return {
        ...{ service: name, routes, splitBy, stopped },
        split: targets.map(({ revision, weight }) => ({ key: key(revision), weight })),
        tags: tags.map(({ tag, revision }) => ({ tag, key: key(revision) })),
        shadow: shadow === null ? null : { key: key(shadow.revision), percent: shadow.percent },
      };
    }),
  };
}

/** The reports. */
export class ServiceViews {
  readonly #services: () => ReadonlyMap<string, Service>;
  readonly #rollouts: Pick<Rollouts, "report">;
  readonly #url: () => string;

  constructor(from: {
    readonly services: () => ReadonlyMap<string, Service>;
    readonly rollouts: Pick<Rollouts, "report">;
    readonly url: () => string;
  }) {
    this.#services = from.services;
    this.#rollouts = from.rollouts;
    this.#url = from.url;
  }

  status(): Promise<readonly StatusReport[]> {
    return Promise.all(
      [...this.#services()].map(async ([name, service]) => {
        const status = service.stopped ? stoppedStatus(service, this.#url()) : await statusOf(service);
        return { ...status, rollout: this.#rollouts.report(name) };
      }),
    );
  }

  async metrics(): Promise<readonly ServiceMetrics[]> {
    const all = [...this.#services()].flatMap(([service, { live }]) =>
      [...live.values()].map((one) => ({ service, ...one })),
    );
    return Promise.all(
      all.map(async ({ service, revision, reporter }) => {
        return { labels: { service, revision: revision.name }, families: await reporter.metrics() };
      }),
    );
  }

  ready(): { readonly ready: boolean; readonly why: string } {
    for (const [name, service] of this.#services()) {
      // What is meant to be down is not missing.
      if (service.stopped) continue;
      for (const { revision } of service.state.traffic.targets) {
        const { ready, why } = service.live.get(revision)!.reporter.ready();
        if (!ready) return { ready, why: `${name}: ${why}` };
      }
    }
    return { ready: true, why: "" };
  }

  /** Of all revisions that run, oldest first. */
  decisions(name: string): readonly DecisionReport[] | undefined {
    const service = this.#services().get(name);
    if (service === undefined) return undefined;
    const all = [...service.live.values()].flatMap(
      ({ revision }) => revision.scaling?.decisions.list() ?? [],
    );
    return all.sort((a, b) => a.at - b.at);
  }

  traffic(name: string): TrafficReport | undefined {
    const service = this.#services().get(name);
    if (service === undefined) return undefined;
    const { traffic, before } = service.state;
    return {
      service: name,
      targets: traffic.targets.map(targetOf),
      tags: traffic.tags.map(({ tag, revision }) => ({ tag, revision: revisionName(revision) })),
      shadow: shadowOf(traffic.shadow),
      before: before?.map(targetOf) ?? null,
      rollout: this.#rollouts.report(name),
    };
  }

  /** Newest first. */
  revisions(name: string): readonly RevisionReport[] | undefined {
    const service = this.#services().get(name);
    if (service === undefined) return undefined;
    const records = [...service.state.revisions.values()].sort((a, b) => b.number - a.number);
    return records.map((record) => {
      const { number, createdAt, code, config, secrets, madeBy } = record;
      const references = Object.entries(secrets).map(([variable, { store, key }]) => {
        return [variable, `secret:${store}/${key}`] as const;
      });
      return {
        ...shareOf(service, number),
        ...{ createdAt, madeBy, code, app: config.app, secrets: Object.fromEntries(references) },
        ...shownOptions(record),
      };
    });
  }
}

function shareOf({ state, live }: Service, number: number): RevisionShare {
  const { targets, tags, shadow } = state.traffic;
  return {
    revision: revisionName(number),
    shadow: shadow?.revision === number ? shadow.percent : 0,
    weight: weightOf(targets, number),
    tags: tags.filter(({ revision }) => revision === number).map(({ tag }) => tag),
    instances: live.get(number)?.revision.pool.counts.ready ?? 0,
  };
}

/** The report of the revision with the largest share, and what the others add. */
async function statusOf(service: Service): Promise<StatusReport> {
  const numbers = [...service.live.keys()].sort((a, b) => b - a);
  const weight = (number: number) => weightOf(service.state.traffic.targets, number);
  const main = numbers.reduce((best, number) => (weight(number) > weight(best) ? number : best));
  const reports = await Promise.all(numbers.map((number) => service.live.get(number)!.reporter.status()));
  const one = reports[numbers.indexOf(main)]!;
  return {
    ...one,
    ready: reports.every(({ ready }, index) => ready || weight(numbers[index]!) === 0),
    line: { ...one.line, waiting: reports.reduce((sum, { line }) => sum + line.waiting, 0) },
    revisions: numbers.map((number) => shareOf(service, number)),
    instances: reports.flatMap(({ instances }) => instances),
  };
}

function shadowOf(shadow: Mirrored | null): ShadowReport | null {
  return shadow === null ? null : { revision: revisionName(shadow.revision), percent: shadow.percent };
}

/** Of a service that nothing runs of. */
function stoppedStatus(service: Service, url: string): StatusReport {
  const { run, name } = service.config;
  const { traffic } = service.state;
  const { targets } = traffic;
  const numbers = [...needed(traffic)].sort((a, b) => b - a);
  const weight = (number: number) => weightOf(targets, number);
  const main = numbers.reduce((best, number) => (weight(number) > weight(best) ? number : best));
  return {
    ...{ version: VERSION, service: name, revision: revisionName(main), app: run.app, interface: "", url },
    ...{ pid: process.pid, uptimeMs: performance.now(), ready: false, stopped: true },
    ...{ preload: { level: "off", reasons: [] }, concurrency: run.concurrency, limits: [], scaling: null },
    measured: run.concurrencyMost === null ? null : "",
    line: { waiting: 0, depth: run.lineDepth },
    revisions: numbers.map((number) => shareOf(service, number)),
    ...{ rollout: null, gateways: [], instances: [] },
  };
}

function targetOf({ revision, weight }: Target): TargetReport {
  return { revision: revisionName(revision), weight };
}
