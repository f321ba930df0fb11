/** A gateway process: the gateway room, bound to the platform by the channel to its parent. */

import { Core } from "../gateway/core.ts";
import { Listener } from "../gateway/listener.ts";
import { Meter } from "../gateway/meter.ts";
import { createPipeline } from "../gateway/pipeline.ts";
import { recordRefusal } from "../gateway/record.ts";
import { SlotTable } from "../gateway/table.ts";
import type { LogRecord } from "../model/log.ts";
import { type AccessLog, openAccessLog } from "./access-log.ts";
import { Doorbell } from "./doorbell.ts";
import type { FromGateway, ToGateway } from "./messages.ts";

/** For the last lines of the access log, when its reader is slow. */
const LAST_LINES_MS = 500;

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

class Gateway {
  readonly #core: Core;
  readonly #bell: Doorbell;
  readonly #access: AccessLog | null;
  #listener: Listener | undefined;

  constructor(start: Start) {
    const { settings, column } = start;
    const table = SlotTable.open(start.table);
    const meter = new Meter(start.meter, column);
    this.#access = openAccessLog(settings);
    this.#bell = new Doorbell(start.runDir, table, column, () => this.#core.serve());
    this.#core = new Core({
      settings,
      table,
      meter,
      column,
      gateway: start.gateway,
      ports: {
        call: (other) => this.#bell.call(other),
        waits: (since) => send({ type: "waits", since }),
        stuck: (instance, requestId) => send({ type: "stuck", instance, requestId }),
        instanceLost: (instance, protocolError) => {
          meter.add("headrace_instance_connections_lost_total", 1);
          send({ type: "instance-lost", instance, protocolError });
        },
        access: this.#access?.write ?? null,
      },
    });
    this.#core.failing = start.failing;
    void this.#start(start, meter);
  }

  async #start(start: Start, meter: Meter): Promise<void> {
    const core = this.#core;
    try {
      this.#listener = await Listener.start({
        settings: start.settings,
        accept: createPipeline(core),
        refused: (refusal) => recordRefusal(refusal, meter, core.ports.access),
        opened: () => {
          meter.add("headrace_client_connections_accepted_total", 1);
          meter.move("headrace_client_connections", 1);
        },
        closed: () => meter.move("headrace_client_connections", -1),
        log: (record: LogRecord) => send({ type: "log", record }),
      });
    } catch (error) {
      const { code, message } = error as { code?: string; message?: string };
      send({ type: "failed", code: code ?? "", message: message ?? String(error) });
      return;
    }
    await core.upstreams.publish(start.routes);
    send({ type: "ready", port: this.#listener.port });
  }

  tell(message: Exclude<ToGateway, Start>): void {
    switch (message.type) {
      case "routes":
        void this.#core.upstreams
          .publish(message.routes)
          .then(() => send({ type: "routes-ack", seq: message.seq }));
        return;
      case "failing":
        this.#core.failing = message.failing;
        return;
      case "released":
        this.#core.upstreams.released(message.instance);
        return;
      case "look":
        this.#core.serve();
        return;
      case "drain":
        void this.#drain();
        return;
      case "stop":
        void this.#stop();
    }
  }

  async #drain(): Promise<void> {
    const drained = this.#listener?.drain();
    for (const exchange of [...this.#core.webSockets]) exchange.goAway();
    await drained;
    send({ type: "drained" });
  }

  async #stop(): Promise<void> {
    this.#listener?.close();
    this.#bell.close();
    await this.#access?.close(LAST_LINES_MS);
    process.exit(0);
  }
}
