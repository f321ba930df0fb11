/** What an application tells of its changes. */

import { HeadraceError, messageOf } from "../base/errors.ts";
import type { ServiceConfig } from "../config/file/config.ts";
import { revisionName } from "../config/service.ts";
import type { LogRecord, LogSink } from "../model/log.ts";
import type { Live } from "./fleet.ts";
import { newestOf } from "./revisions/change.ts";
import { isUnchanged, type RevisionRecord } from "./revisions/record.ts";
import type { ServiceState } from "./revisions/store.ts";
import { type Target, type Traffic, trafficText } from "./revisions/traffic.ts";
import type { Service } from "./services.ts";
import { platformEvents } from "./signals.ts";

type Told =
  | "platform.applied"
  | "platform.apply_failed"
  | "platform.unchanged"
  | "platform.start_kept"
  | "platform.traffic"
  | "platform.service_stopped"
  | "platform.service_started"
  | "platform.stopping"
  | "platform.stopped";

export class ApplicationLog {
  readonly #log: LogSink;
  readonly #application: string;

  constructor(log: LogSink, application: string) {
    this.#log = log;
    this.#application = application;
  }

  /** The file holds. */
  applied(fresh: readonly Live[]): void {
    const message =
      fresh.length === 0 ? "The routes are those of the file." : `New revisions serve: ${names(fresh)}`;
    this.#tell("platform.applied", message);
  }

  deployed(service: string, revision: string, noTraffic: boolean): void {
    const message = noTraffic
      ? `${revision} of ${service} starts, and gets no requests yet`
      : `New revisions serve: ${revision} of ${service}`;
    this.#tell("platform.applied", message, { "service.name": service, "service.version": revision });
  }

  /** Its files were written as they were. */
  unchanged(service: string): void {
    const message = `The code of ${service} is that of its newest revision`;
    this.#tell("platform.unchanged", message, { "service.name": service });
  }

  /** @param fresh what was being started; empty when it did not come to that */
  failed(fresh: readonly Live[], error: unknown): void {
    const detail = error instanceof HeadraceError && error.detail !== "" ? { traceback: error.detail } : {};
    const known = error instanceof HeadraceError ? { code: error.code, ...detail } : {};
    const what = fresh.length === 0 ? "The change was not made" : `${names(fresh)} did not start`;
    const message = `${what}, nothing has changed: ${messageOf(error)}`;
    this.#tell("platform.apply_failed", message, known);
  }

  /** What a service began with. @param before what it was before the start */
  begun({ config, state }: Service, before: ServiceState): void {
    const service = config.name;
    const newest = before.revisions.get(newestOf(before));
    if (state !== before && newest !== undefined) {
      const number = newestOf(state);
      const why = changed(newest, config, state.revisions.get(number)!);
      const name = revisionName(number);
      const back = `headrace rollback ${service} brings back ${trafficText(before.traffic.targets)}`;
      const fields = { "service.name": service, "service.version": name };
      this.#tell("platform.applied", `New revisions serve: ${name} of ${service}, ${why}; ${back}`, fields);
    }
    if (state.before !== null) this.traffic(service, state.traffic);
  }

  /** A new revision did not start with everything else: what was there before is started in its place. */
  goesOn(
    service: string,
    about: { readonly revision: number; readonly before: readonly Target[]; readonly error: HeadraceError },
  ): void {
    const { revision, before, error } = about;
    const name = revisionName(revision);
    const message = `${name} of ${service} did not start, so it goes on with ${trafficText(before)}: ${error.message}`;
    const fields = { "service.name": service, "service.version": name };
    this.#tell("platform.start_kept", message, { ...fields, code: error.code, traceback: error.detail });
  }

  traffic(service: string, { targets, tags, shadow }: Traffic): void {
    const tagged = tags.map(({ tag, revision }) => `, ${tag} is ${revisionName(revision)}`).join("");
    const mirrored =
      shadow === null ? "" : `, ${shadow.percent}% are mirrored to ${revisionName(shadow.revision)}`;
    const message = `Requests for ${service}: ${trafficText(targets)}${tagged}${mirrored}`;
    this.#tell("platform.traffic", message, { "service.name": service });
  }

  serviceStopped(service: string): void {
    const message = `${service} is stopped: its requests are refused, those in flight finish`;
    this.#tell("platform.service_stopped", message, { "service.name": service });
  }

  serviceStarted(service: string): void {
    this.#tell("platform.service_started", `${service} serves again`, { "service.name": service });
  }

  stopping(reason: string): void {
    this.#tell("platform.stopping", `Stopping: ${reason}`);
  }

  stopped(): void {
    this.#tell("platform.stopped", "Stopped");
  }

  #tell(event: Told, message: string, about: LogRecord["fields"] = {}): void {
    const fields = { application: this.#application, ...about };
    this.#log({ time: Date.now(), level: platformEvents[event].level, event, message, fields });
  }
}

/** Why there is a new revision. */
function changed(before: RevisionRecord, service: ServiceConfig, now: RevisionRecord): string {
  if (!isUnchanged(before, service)) return "because its options have changed";
  // Code that is too much to be kept is not known to be the same.
  return before.code === now.code && now.code !== "" ? "as was asked for" : "because its code has changed";
}

function names(live: readonly Live[]): string {
  return live.map(({ revision }) => `${revision.name} of ${revision.config.service}`).join(", ");
}
