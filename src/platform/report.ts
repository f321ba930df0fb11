/** What can be seen of a running Headrace: the status behind `ps`, and the metrics. */

import { type AutoscalerMetric, autoscalerMetrics } from "../autoscaler/signals.ts";
import { WAKE_BOUNDS_S } from "../autoscaler/wakes.ts";
import type { LimitConfig } from "../config/run-config.ts";
import type { LimitCells } from "../gateway/admission/limit-cells.ts";
import { type InstancePart, measure } from "../instances/index.ts";
import type { GatewayReport, InstanceReport, InstanceState, StatusReport } from "../model/instance.ts";
import type { MetricFamily, MetricSample } from "../model/metric.ts";
import { VERSION } from "../model/version.ts";
import type { Gateways } from "./gateways.ts";
import type { Revision } from "./revision.ts";
import { type PlatformMetric, platformMetrics } from "./signals.ts";

export interface ReporterOptions {
  readonly revision: Revision;
  /** Asked when there is something to report. */
  readonly url: () => string;
  readonly gateways: Gateways;
}

const STATES: readonly InstanceState[] = ["starting", "ready", "draining", "stopping", "stopped", "failed"];

export class Reporter {
  readonly #options: ReporterOptions;
  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  async status(): Promise<StatusReport> {
    const { revision, url } = this.#options;
    const { config, table, pool, control, scaling } = revision;
    const { status } = pool;
    return {
      version: VERSION,
      service: config.service,
      revision: revision.name,
      app: config.app,
      interface: status.interface,
      url: url(),
      pid: process.pid,
      // The process is what is up: a revision in it may be young.
      uptimeMs: performance.now(),
      ready: this.ready().ready,
      stopped: false,
      preload: status.preload,
      concurrency: control?.report.limit ?? config.concurrency,
      measured: control?.report.why ?? null,
      limits: status.limits,
      scaling: scaling?.loop.report() ?? null,
      line: { waiting: table.waitingAll(), depth: config.lineDepth },
      revisions: [
        { revision: revision.name, weight: 100, tags: [], shadow: 0, instances: pool.counts.ready },
      ],
      rollout: null,
      gateways: await this.#gateways(),
      instances: await this.#instances(),
    };
  }

  ready(): { ready: boolean; why: string } {
    const { revision, gateways } = this.#options;
    const { config, pool } = revision;
    if (!gateways.list().some((gateway) => gateway.state === "ready")) {
      return { ready: false, why: "no gateway listens" };
    }
    const { ready, crashLooping } = pool.status;
    // With none at all the next request starts one, unless that is known to fail.
    const wakes = config.scaling?.minInstances === 0 && !crashLooping;
    return ready || wakes ? { ready: true, why: "" } : { ready: false, why: "no instance is ready" };
  }

  async metrics(): Promise<MetricFamily[]> {
    const { meter, table, config, starts } = this.#options.revision;
    const instances = await this.#instances();
    const each = (value: (instance: InstanceReport) => number): MetricSample[] =>
      instances.map((instance) => ({ labels: { instance: instance.id }, value: value(instance) }));
    const states = STATES.map((state) => {
      return { labels: { state }, value: instances.filter((instance) => instance.state === state).length };
    });
    const gateways = (await this.#gateways()).map(({ id, memoryBytes }) => {
      return { labels: { gateway: String(id) }, value: memoryBytes };
    });
    const limits = (value: (cells: LimitCells) => number): MetricSample[] =>
      config.limits.map((limit, i) => ({
        labels: { limit: limitName(limit) },
        value: value(table.limits[i]!),
      }));
    const samples: Readonly<Record<PlatformMetric, readonly MetricSample[]>> = {
      headrace_line_waiting: [{ labels: {}, value: table.waitingAll() }],
      headrace_limit_in_flight: limits((cells) => cells.taken()),
      headrace_limit_waiting: limits((cells) => cells.waiting()),
      headrace_instances: states,
      headrace_instance_in_flight: each((i) => i.inFlight),
      headrace_instance_slots: each((i) => i.slots),
      headrace_instance_memory_bytes: each((i) => i.memoryBytes),
      headrace_instance_cpu_seconds_total: each((i) => i.cpuMs / 1000),
      headrace_instance_start_seconds: starts.samples(),
      headrace_gateway_memory_bytes: gateways,
    };
    const own = (Object.keys(samples) as PlatformMetric[]).map((name) => {
      const { kind, help } = platformMetrics[name];
      return { name, kind, help, samples: samples[name] };
    });
    return [...meter.families(), ...own, ...this.#scaling()];
  }

  #scaling(): MetricFamily[] {
    const { scaling, pool } = this.#options.revision;
    if (scaling === undefined) return [family("headrace_instances_desired", { value: pool.status.wanted })];
    const { wakes } = scaling.loop;
    const { desired, panicking } = scaling.loop.report();
    return [
      family("headrace_instances_desired", { value: desired }),
      family("headrace_autoscaler_panic", { value: panicking ? 1 : 0 }),
      family("headrace_cold_starts_total", { value: wakes.total }),
      family("headrace_wake_duration_seconds", {
        buckets: { bounds: WAKE_BOUNDS_S, counts: [...wakes.counts], sum: wakes.sumS },
      }),
    ];
  }

  async #instances(): Promise<InstanceReport[]> {
    const { pool, table } = this.#options.revision;
    return (await pool.report()).map((part: InstancePart) => {
      const { row, generation: _, ...rest } = part;
      const known = row >= 0;
      const slots = known ? table.limit(row) : rest.slots;
      return {
        ...rest,
        slots,
        inFlight: known ? table.inFlight(row) : 0,
        served: known ? table.served(row) : 0,
      };
    });
  }

  async #gateways(): Promise<GatewayReport[]> {
    const { revision, gateways } = this.#options;
    const { table, meter } = revision;
    return Promise.all(
      gateways.list().map(async ({ id, column, pid, state, startedAt }) => {
        const usage = await measure(pid);
        return {
          id,
          pid,
          state: state === "gone" ? ("draining" as const) : state,
          ageMs: performance.now() - startedAt,
          connections: meter.gauge("headrace_client_connections", column),
          inFlight: meter.gauge("headrace_requests_in_gateway", column),
          waiting: table.waitingOf(column),
          memoryBytes: usage.memoryBytes,
          cpuMs: usage.cpuMs,
        };
      }),
    );
  }
}

/** `POST,PUT /report`. */
function limitName({ methods, path }: LimitConfig): string {
  return methods.length === 0 ? path : `${methods.join(",")} ${path}`;
}

function family(name: AutoscalerMetric, sample: Pick<MetricSample, "value" | "buckets">): MetricFamily {
  const { kind, help } = autoscalerMetrics[name];
  return { name, kind, help, samples: [{ labels: {}, ...sample }] };
}
