/** What all requests of a gateway process for one revision share: the line, the instances, the deadlines, the counters. */

import { systemClock } from "../base/clock.ts";
import { DeadlineList } from "../base/deadline-list.ts";
import type { AccessRecord } from "../model/access.ts";
import { LineAlarm } from "./admission/alarm.ts";
import { Bulkheads } from "./admission/bulkheads.ts";
import { Line } from "./admission/line.ts";
import { DEFAULT_RANK, Ranks } from "./admission/priority.ts";
import { DrainRate, retryAfterSeconds } from "./admission/retry-after.ts";
import { RetryBudget } from "./admission/retry-budget.ts";
import { ServiceTime } from "./admission/service-time.ts";
import { type Affinity, KeyAffinity, type KeySource, StickyAffinity } from "./balance/affinity.ts";
import { requestKey } from "./balance/key.ts";
import { policyFor } from "./balance/policy.ts";
import type { RequestHead } from "./client.ts";
import type { Exchange } from "./exchange.ts";
import { withPriority } from "./identify.ts";
import type { Meter } from "./meter.ts";
import { appPath, decodedPath } from "./path.ts";
import { accessRecord } from "./record.ts";
import type { ServiceSettings } from "./settings.ts";
import type { SlotTable } from "./table.ts";
import { coarse } from "./timeout.ts";
import type { Upstream } from "./upstream.ts";
import { Upstreams } from "./upstreams.ts";

/** What the gateway needs from outside, bound by the platform. */
export interface GatewayPorts {
  /** Calls another gateway process to look for free slots. */
  call(column: number): void;
  /** Requests wait for a slot or were refused, the first of them since (Unix milliseconds). Only with `admission.scaled`. */
  waits(since: number): void;
  /** A request is over its time, and over the grace after it, and its app has not returned. */
  stuck(instance: string, requestId: string): void;
  /** A connection to an instance ended unasked. */
  instanceLost(instance: string, protocolError: string): void;
  /** Null when there is no access log. */
  readonly access: ((record: AccessRecord) => void) | null;
}

export interface CoreOptions {
  readonly settings: ServiceSettings;
  readonly table: SlotTable;
  readonly meter: Meter;
  readonly ports: GatewayPorts;
  /** This gateway's column in the shared table, and its id. */
  readonly column: number;
  readonly gateway: number;
}

/** A request is placed again at most this often. Instances that die under it one after another are no coincidence. */
const MAX_RETRIES = 3;

export class Core {
  readonly settings: ServiceSettings;
  readonly meter: Meter;
  readonly ports: GatewayPorts;
  readonly line: Line;
  readonly upstreams: Upstreams;
  /** Requests whose app has not returned after their deadline. */
  readonly overdue: DeadlineList;
  readonly maxRetries = MAX_RETRIES;
  /** The platform says that instances fail to start: nobody is made to wait for one. */
  failing = false;
  /** Open WebSockets, to be told when the gateway stops. */
  readonly webSockets = new Set<Exchange>();

  readonly #table: SlotTable;
  /** By length in milliseconds: the service's own, and those that clients ask for. */
  readonly #deadlines = new Map<number, DeadlineList>();
  readonly #serviceTime = new ServiceTime();
  readonly #retries = new RetryBudget();
  readonly #ranks: Ranks;
  /** As apps see them. */
  readonly #healthPaths: readonly string[];
  /** Where requests have their keys; null: nobody belongs to an instance. */
  readonly #keySource: KeySource | null = null;
  readonly #sticky: StickyAffinity<Upstream> | null = null;
  readonly #drainRate = new DrainRate();
  readonly #alarm: LineAlarm | undefined;
  /** Null: no kind of requests has a limit of its own. */
  readonly #bulkheads: Bulkheads | null;
  readonly #desk = {
    free: (): boolean => this.upstreams.free(),
    take: (owner: unknown): Upstream | null => this.upstreams.take((owner as Exchange).key),
    start: (owner: unknown, upstream: Upstream): void => (owner as Exchange).start(upstream),
  };

  constructor(options: CoreOptions) {
    const { settings, table, ports } = options;
    this.settings = settings;
    this.meter = options.meter;
    this.ports = ports;
    this.#table = table;
    const { admission } = settings;
    this.line = new Line({
      table,
      column: options.column,
      depth: admission.lineDepth,
      waitMs: admission.lineWaitMs,
      call: ports.call,
      now: () => performance.now(),
      serviceTime: admission.shed ? this.#serviceTime : null,
    });
    this.#bulkheads = this.#makeBulkheads(options);
    this.#ranks = new Ranks(admission.priorities);
    this.#healthPaths = admission.healthPaths.map(decodedPath);
    let affinity: Affinity<Upstream> | null = null;
    if (settings.affinity?.kind === "key") {
      affinity = new KeyAffinity(settings.affinity.balanceFactor);
      this.#keySource = settings.affinity.from;
    } else if (settings.affinity?.kind === "sticky") {
      affinity = this.#sticky = new StickyAffinity(settings.affinity);
      this.#keySource = { by: "cookie", name: settings.affinity.cookie };
    }
    this.upstreams = new Upstreams({
      affinity,
      table,
      column: options.column,
      gateway: options.gateway,
      window: settings.window,
      policy: policyFor(admission.slots),
      available: () => this.serve(),
      permit: (limit) => this.#bulkheads?.giveOf(limit),
      lost: (instance, protocolError) => ports.instanceLost(instance, protocolError),
    });
    if (admission.scaled) {
      const { timeOrigin } = performance;
      this.#alarm = new LineAlarm(systemClock, (since) => ports.waits(timeOrigin + since));
    }
    this.overdue = new DeadlineList(admission.graceMs, (node) => (node as Exchange).stuck());
  }

  #makeBulkheads({ settings, table, column, ports }: CoreOptions): Bulkheads | null {
    const { limits, lineDepth } = settings.admission;
    if (limits.length === 0) return null;
    return new Bulkheads({
      limits,
      cells: table.limits,
      column,
      depth: lineDepth,
      line: this.line,
      call: ports.call,
      now: () => performance.now(),
      onward: (request) => this.#onward(request as Exchange),
    });
  }

  /** A new request: a slot if one is free and nobody waits, else a place in the line, else a refusal. */
  admit(exchange: Exchange): void {
    this.meter.move("headrace_requests_in_gateway", 1);
    this.meter.move("headrace_requests_unanswered", 1);
    this.#retries.deposit(exchange.arrivedAt);
    this.#setDeadline(exchange);
    if (!this.#ranks.plain || exchange.carried !== -1) this.#rank(exchange);
    if (this.#keySource !== null) {
      exchange.key = requestKey(exchange.head.target, exchange.head.fields, this.#keySource);
    }
    if (this.#isHealth(exchange.target) && this.#startExempt(exchange)) return;
    if (this.#bulkheads !== null && !this.#pass(exchange, this.#bulkheads)) return;
    if (this.#startNow(exchange) || this.#refuseFailing(exchange)) return;
    exchange.state = "waiting";
    if (!this.line.busy) this.#drainRate.observe(this.#table.servedTotal(), exchange.arrivedAt);
    if (!this.line.enter(exchange, exchange.arrivedAt)) {
      this.#refuse(exchange, "HR_LINE_FULL", this.retryAfter());
      return;
    }
    // A slot may have become free between the look and the entry into the line.
    this.serve();
    if (exchange.place !== null) this.#alarm?.raise(exchange.arrivedAt);
  }

  /** What a caller carries over is stronger than what the path says. The app is told, so that it can carry it on. */
  #rank(exchange: Exchange): void {
    const { carried } = exchange;
    exchange.rank = carried === -1 ? this.#ranks.of(exchange.target, exchange.fields) : carried;
    if (exchange.rank !== DEFAULT_RANK) exchange.fields = withPriority(exchange.fields, exchange.rank);
  }

  /** Its bulkhead, if it belongs to one. False: it waits there, or was refused. */
  #pass(exchange: Exchange, bulkheads: Bulkheads): boolean {
    exchange.limit = bulkheads.of(exchange.head.method, exchange.target);
    if (exchange.limit === -1 || bulkheads.take(exchange)) return true;
    exchange.state = "waiting";
    if (!bulkheads.wait(exchange, exchange.arrivedAt)) exchange.refuse("HR_LIMIT_FULL", this.retryAfter());
    return false;
  }

  /** A request that waited at its bulkhead has its permit. */
  #onward(exchange: Exchange): void {
    if (this.#startNow(exchange) || this.#refuseFailing(exchange)) return;
    this.line.adopt(exchange, performance.now());
    this.serve();
    if (exchange.place !== null) this.#alarm?.raise(exchange.arrivedAt);
  }

  /** Starts a request if a slot is free and nobody waits for one. */
  #startNow(exchange: Exchange): boolean {
    if (this.line.busy) return false;
    const upstream = this.upstreams.take(exchange.key);
    if (upstream === null) return false;
    if (exchange.place !== null) Line.leave(exchange);
    exchange.start(upstream);
    return true;
  }

  #refuseFailing(exchange: Exchange): boolean {
    if (!this.failing || this.upstreams.any) return false;
    Line.leave(exchange);
    this.#refuse(exchange, "HR_NO_INSTANCE", 1);
    return true;
  }

  /** For want of a slot. */
  #refuse(exchange: Exchange, code: "HR_LINE_FULL" | "HR_NO_INSTANCE", retryAfterS: number): void {
    exchange.refuse(code, retryAfterS);
    this.#bulkheads?.give(exchange);
    this.#alarm?.raise(exchange.arrivedAt);
  }

  /** A request that waits gives up, or is told to. */
  leaveLine(exchange: Exchange): void {
    Line.leave(exchange);
    this.#bulkheads?.give(exchange);
  }

  /** The connection of a request that held a slot was lost: slot and permit stay taken until it is certain that nothing runs. */
  orphan(upstream: Upstream, exchange: Exchange): void {
    const limit = exchange.permit ? exchange.limit : -1;
    exchange.permit = false;
    this.upstreams.orphan(upstream, exchange.exempt, limit);
  }

  /** Its service's time, or its client's when that is shorter. */
  #setDeadline(exchange: Exchange): void {
    const own = this.settings.admission.timeoutMs;
    const { timeoutMs } = exchange;
    const ms = timeoutMs > 0 && (own === 0 || timeoutMs < own) ? coarse(timeoutMs) : own;
    if (ms === 0) return;
    let list = this.#deadlines.get(ms);
    if (list === undefined) {
      list = new DeadlineList(ms, (node) => (node as Exchange).deadline());
      this.#deadlines.set(ms, list);
    }
    list.enter(exchange, exchange.arrivedAt);
  }

  /** Whether a request that was not begun may be placed again: it counts as one that was. */
  mayRetry(): boolean {
    const allowed = this.#retries.withdraw(performance.now());
    if (!allowed) this.meter.add("headrace_retries_denied_total", 1);
    return allowed;
  }

  /** A request that lost its instance before it was begun. */
  readmit(exchange: Exchange): void {
    if (exchange.exempt && this.#startExempt(exchange)) return;
    const wants = exchange.limit !== -1 && !exchange.permit;
    if (this.#bulkheads !== null && wants && !this.#bulkheads.take(exchange)) {
      this.#bulkheads.waitAgain(exchange, exchange.arrivedAt);
      return;
    }
    this.line.reenter(exchange, exchange.arrivedAt);
    this.serve();
    if (exchange.place !== null) this.#alarm?.raise(exchange.arrivedAt);
  }

  /** Gives free permits and slots to those who wait. */
  serve(): void {
    this.#bulkheads?.serve();
    if (this.line.busy) this.line.serve(this.#desk);
  }

  /** A request is done with its slot. */
  release(upstream: Upstream, exchange: Exchange): void {
    if (exchange.exempt) return;
    this.meter.add("headrace_slots_given_back_total", 1);
    this.meter.add("headrace_slot_seconds_total", (performance.now() - exchange.placedAt) / 1_000);
    this.upstreams.give(upstream);
    this.#bulkheads?.give(exchange);
    if (this.line.busy) this.line.serve(this.#desk);
  }

  /** Seconds until the line that stands now is worked off. */
  retryAfter(): number {
    return retryAfterSeconds(
      this.#table.waitingAll(),
      this.#drainRate.observe(this.#table.servedTotal(), performance.now()),
    );
  }

  /** Counts and logs a request that is over for its client. */
  record(exchange: Exchange): void {
    const { meter } = this;
    const now = performance.now();
    meter.move("headrace_requests_in_gateway", -1);
    if (exchange.respondedAt === 0) meter.move("headrace_requests_unanswered", -1);
    meter.status(exchange.status);
    if (exchange.reason !== "") meter.reason(exchange.reason);
    meter.observe("headrace_request_duration_seconds", now - exchange.arrivedAt);
    if (exchange.placedAt > 0) {
      meter.observe("headrace_queue_duration_seconds", exchange.placedAt - exchange.arrivedAt);
      if (exchange.respondedAt > 0) {
        const serviceMs = exchange.respondedAt - exchange.placedAt;
        meter.observe("headrace_service_duration_seconds", serviceMs);
        if (!exchange.exempt) this.#serviceTime.observe(serviceMs);
      } else if (exchange.reason === "HR_DEADLINE") {
        // It took at least so long: left out, a service that becomes slow would look fast for ever.
        this.#serviceTime.observe(now - exchange.placedAt);
      }
    }
    meter.add("headrace_response_bytes_total", exchange.responseBytes);
    const { access } = this.ports;
    if (access !== null) access(accessRecord(exchange, now));
  }

  /** Whether a request carries the token of an instance of this revision. */
  isHome({ target, fields }: RequestHead): boolean {
    if (this.#sticky === null || this.#keySource === null) return false;
    this.upstreams.tellAffinity();
    return this.#sticky.knows(requestKey(target, fields, this.#keySource));
  }

  /** Whether the gateway sets cookies of its own. */
  get sticky(): boolean {
    return this.#sticky !== null;
  }

  /** What Set-Cookie says to the client of a request, so that it comes back to the instance; empty for nothing. */
  setCookie({ key, instance, peers }: Exchange): string {
    if (this.#sticky === null) return "";
    this.upstreams.tellAffinity();
    return this.#sticky.setCookie(key, instance, peers.secure);
  }

  /** A request that needs no slot. False: there may be no instance on purpose, so it waits for one like any other. */
  #startExempt(exchange: Exchange): boolean {
    const upstream = this.upstreams.leastBusy();
    exchange.exempt = upstream !== null || !this.settings.admission.scaled;
    if (upstream !== null) exchange.start(upstream);
    else if (exchange.exempt) exchange.refuse("HR_NO_INSTANCE", 1);
    return exchange.exempt;
  }

  /** A request that waited for its instance's start gets its first byte. */
  coldStart(exchange: Exchange): void {
    const { arrivedAt, placedAt, respondedAt } = exchange;
    this.meter.observe("headrace_cold_request_wait_seconds", placedAt - arrivedAt);
    this.meter.observe("headrace_cold_request_first_byte_seconds", respondedAt - arrivedAt);
  }

  #isHealth(target: Uint8Array): boolean {
    const paths = this.#healthPaths;
    return paths.length > 0 && paths.includes(appPath(target));
  }
}
