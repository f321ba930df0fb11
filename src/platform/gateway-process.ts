/** A gateway process: the gateway room, bound to the platform by the channel to its parent. */

import { join } from "node:path";
import type { RequestHead } from "../gateway/client.ts";
import { Core } from "../gateway/core.ts";
import { Internal } from "../gateway/internal.ts";
import { Listener } from "../gateway/listener.ts";
import { Meter } from "../gateway/meter.ts";
import { createPipeline } from "../gateway/pipeline.ts";
import { recordRefusal } from "../gateway/record.ts";
import { findByName } from "../gateway/route/by-name.ts";
import { Entrance } from "../gateway/route/entrance.ts";
import { TurnsFile } from "../gateway/route/turns.ts";
import type { InternalPorts, Routing } from "../gateway/settings.ts";
import { SlotTable } from "../gateway/table.ts";
import type { Address } from "../gateway/upstream.ts";
import type { LogRecord } from "../model/log.ts";
import { type AccessLog, openAccessLog } from "./access-log.ts";
import { Doorbell } from "./doorbell.ts";
import { type FromGateway, type RevisionStart, type ToGateway, TURNS_FILE } from "./messages.ts";

/** For the last lines of the access log, when its reader is slow. */
const LAST_LINES_MS = 500;
const DIFFERENCE_MS = 1_000;

type Start = Extract<ToGateway, { type: "start" }>;

/** Runs until the platform says stop, or is gone. */
export default function gatewayProcess(): void {
  // The terminal's Ctrl-C reaches the whole process group; what it means is decided by the parent.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  process.on("SIGHUP", () => {});
  // No parent, no gateway: its instances are going too.
  process.on("disconnect", () => process.exit(1));
  let gateway: Gateway | undefined;
  process.on("message", (message: ToGateway) => {
    if (message.type === "start") gateway = new Gateway(message);
    else gateway?.tell(message);
  });
}

function send(message: FromGateway): void {
  process.send?.(message);
}

/** A revision, as this process has it. */
interface Revision {
  readonly core: Core;
  readonly table: SlotTable;
}

class Gateway {
  readonly #start: Start;
  readonly #revisions = new Map<string, Revision>();
  readonly #entrance: Entrance;
  readonly #meter: Meter;
  readonly #bell: Doorbell;
  readonly #access: AccessLog | null;
  readonly #internal: Internal;
  #listener: Listener | undefined;
  #differenceAt = Number.NEGATIVE_INFINITY;

  constructor(start: Start) {
    this.#start = start;
    this.#meter = new Meter(start.meter, start.column);
    const turns = new TurnsFile(join(start.runDir, TURNS_FILE));
    const differs = (text: string, revision: string) => this.#shadowDiffers(text, revision);
    this.#entrance = new Entrance((service) => turns.of(service), differs);
    this.#access = openAccessLog(start.front);
    this.#bell = new Doorbell(start.runDir, start.column, () => this.#called());
    this.#internal = this.#makeInternal();
    void this.#listen();
  }

  /** Where services call each other. */
  #makeInternal(): Internal {
    const { front } = this.#start;
    const meter = this.#meter;
    const access = this.#access?.writer(null) ?? null;
    const { trustedProxies } = front;
    return new Internal({
      front,
      accept: (service) => {
        const entrance = { find: (head: RequestHead) => findByName(this.#entrance, head, service) };
        return createPipeline({ entrance, meter, access, trustedProxies, internal: true });
      },
      listener: {
        refused: (refusal) => recordRefusal(refusal, meter, access),
        log: (record: LogRecord) => send({ type: "log", record }),
      },
    });
  }

  async #listen(): Promise<void> {
    const { front, revisions, routing, internal } = this.#start;
    const meter = this.#meter;
    const access = this.#access?.writer(null) ?? null;
    const entrance = this.#entrance;
    const { trustedProxies } = front;
    const connected = revisions.map((revision) => this.#add(revision));
    await this.#route(routing, internal);
    try {
      this.#listener = await Listener.start({
        settings: front,
        accept: createPipeline({ entrance, meter, access, trustedProxies, internal: false }),
        refused: (refusal) => recordRefusal(refusal, meter, access),
        opened: () => {
          meter.add("headrace_client_connections_accepted_total", 1);
          meter.move("headrace_client_connections", 1);
        },
        closed: () => meter.move("headrace_client_connections", -1),
        instanceFiles: () => this.#instanceFiles(),
        log: (record: LogRecord) => send({ type: "log", record }),
      });
    } catch (error) {
      const { code, message } = error as { code?: string; message?: string };
      send({ type: "failed", code: code ?? "", message: message ?? String(error) });
      return;
    }
    await Promise.all(connected);
    send({ type: "ready", port: this.#listener.port });
  }

  /** Of many differences one a second is told: they are counted in the metrics. */
  #shadowDiffers(text: string, revision: string): void {
    const now = performance.now();
    if (now - this.#differenceAt < DIFFERENCE_MS) return;
    this.#differenceAt = now;
    const message = `Shadow ${revision}: ${text}`;
    const fields = { "service.version": revision };
    const event = "gateway.shadow_differs";
    send({ type: "log", record: { time: Date.now(), level: "warn", event, message, fields } });
  }

  #instanceFiles(): number {
    let files = this.#internal.connections();
    for (const { core } of this.#revisions.values()) files += core.upstreams.size;
    return files;
  }

  /** Resolves once it is connected to the instances that are there. */
  #add(start: RevisionStart): Promise<void> {
    const { column, gateway } = this.#start;
    const { service, revision, key } = start.settings;
    const table = SlotTable.open(start.table);
    const meter = start.meter === this.#start.meter ? this.#meter : new Meter(start.meter, column);
    const core = new Core({
      settings: start.settings,
      table,
      meter,
      column,
      gateway,
      ports: {
        call: (other) => this.#bell.call(table, other),
        waits: (since) => send({ type: "waits", revision: key, since }),
        stuck: (instance, requestId) => send({ type: "stuck", revision: key, instance, requestId }),
        instanceLost: (instance, protocolError) => {
          meter.add("headrace_instance_connections_lost_total", 1);
          send({ type: "instance-lost", revision: key, instance, protocolError });
        },
        access: this.#access?.writer({ service, revision }) ?? null,
      },
    });
    core.failing = start.failing;
    this.#revisions.set(key, { core, table });
    return core.upstreams.publish(start.routes);
  }

  async #route(routing: Routing, internal: InternalPorts): Promise<void> {
    const cores = new Map([...this.#revisions].map(([revision, { core }]) => [revision, core]));
    this.#entrance.set(routing, cores);
    await this.#internal.set(internal);
  }

  tell(message: Exclude<ToGateway, Start>): void {
    switch (message.type) {
      case "revision":
        void this.#add(message.revision).then(() => acknowledge(message.seq));
        return;
      case "forget":
        void this.#forget(message.revision).then(() => acknowledge(message.seq));
        return;
      case "routing":
        void this.#route(message.routing, message.internal).then(() => acknowledge(message.seq));
        return;
      case "routes":
        void this.#publish(message.revision, message.routes).then(() => acknowledge(message.seq));
        return;
      case "failing": {
        const known = this.#revisions.get(message.revision);
        if (known !== undefined) known.core.failing = message.failing;
        return;
      }
      case "released":
        this.#revisions.get(message.revision)?.core.upstreams.released(message.instance);
        return;
      case "look":
        this.#look();
        return;
      case "drain":
        void this.#drain();
        return;
      case "stop":
        void this.#stop();
    }
  }

  async #publish(revision: string, routes: readonly Address[]): Promise<void> {
    await this.#revisions.get(revision)?.core.upstreams.publish(routes);
  }

  async #forget(revision: string): Promise<void> {
    await this.#publish(revision, []);
    this.#revisions.delete(revision);
  }

  #called(): void {
    for (const { core, table } of this.#revisions.values()) {
      table.answer(this.#start.column);
      core.serve();
    }
  }

  #look(): void {
    for (const { core } of this.#revisions.values()) core.serve();
  }

  async #drain(): Promise<void> {
    const drained = this.#listener?.drain();
    for (const { core } of this.#revisions.values()) {
      for (const exchange of [...core.webSockets]) exchange.goAway();
    }
    await drained;
    send({ type: "drained" });
  }

  async #stop(): Promise<void> {
    this.#listener?.close();
    this.#internal.close();
    this.#bell.close();
    await this.#access?.close(LAST_LINES_MS);
    process.exit(0);
  }
}

function acknowledge(seq: number): void {
  send({ type: "ack", seq });
}
