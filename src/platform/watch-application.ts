/**
 * `headrace up --watch`: the file changes, it is applied; Python files of a service change, it gets a new revision, if its code is
 * another. What changes while a service starts is one more revision afterwards, however often it does.
 */

import { HeadraceError, messageOf } from "../base/errors.ts";
import type { ApplicationConfig } from "../config/file/config.ts";
import { PYTHON_FILES, watchFile, watchFiles } from "../instances/index.ts";
import type { LogSink } from "../model/log.ts";
import { appFolder } from "./pool-spec.ts";
import { platformEvents } from "./signals.ts";

/** An action that says by itself why it could not be done, when it throws a HeadraceError. */
export interface WatchPorts {
  readonly log: LogSink;
  /** Reads the file and makes it what runs. */
  apply(): Promise<void>;
  /** A new revision of the service, unless its code is what it was. */
  renew(service: string): Promise<void>;
}

interface Watched {
  readonly services: Set<string>;
  readonly watcher: { close(): void };
}

export class ApplicationWatch {
  readonly #ports: WatchPorts;
  readonly #file: { close(): void };
  /** By folder: several services may share one. */
  readonly #folders = new Map<string, Watched>();
  readonly #renewals = new Map<string, () => void>();

  constructor(application: ApplicationConfig, ports: WatchPorts) {
    this.#ports = ports;
    const apply = this.#oneByOne(() => ports.apply());
    this.#file = watchFile(application.file, () => {
      this.#tell([application.file], "the file is read");
      apply();
    });
    this.follow(application);
  }

  /** The file holds: its services are those that are watched. */
  follow(application: ApplicationConfig): void {
    for (const { services } of this.#folders.values()) services.clear();
    for (const { name, run } of application.services) this.#watched(appFolder(run)).add(name);
    for (const [folder, { services, watcher }] of this.#folders) {
      if (services.size > 0) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
  }

  close(): void {
    this.#file.close();
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #watched(folder: string): Set<string> {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known.services;
    const services = new Set<string>();
    const watcher = watchFiles({ folders: [folder], include: [PYTHON_FILES] }, (paths) => {
      this.#tell(paths, `the code of ${[...services].join(", ")} is looked at`);
      for (const service of services) this.#renewal(service)();
    });
    this.#folders.set(folder, { services, watcher });
    return services;
  }

  #renewal(service: string): () => void {
    const known = this.#renewals.get(service);
    if (known !== undefined) return known;
    const renewal = this.#oneByOne(() => this.#ports.renew(service));
    this.#renewals.set(service, renewal);
    return renewal;
  }

  /** What is asked for while the action runs is done once more after it. */
  #oneByOne(action: () => Promise<void>): () => void {
    let running = false;
    let again = false;
    const run = async () => {
      running = true;
      do {
        again = false;
        await action().catch((error: unknown) => this.#failed(error));
      } while (again);
      running = false;
    };
    return () => {
      again = true;
      if (!running) void run();
    };
  }

  #failed(error: unknown): void {
    // What is refused, or does not start, has told why.
    if (error instanceof HeadraceError) return;
    const event = "platform.apply_failed";
    const { level } = platformEvents[event];
    this.#ports.log({ time: Date.now(), level, event, message: messageOf(error), fields: {} });
  }

  #tell(paths: readonly string[], what: string): void {
    const event = "platform.changed";
    const more = paths.length > 3 ? ` and ${paths.length - 3} more` : "";
    const message = `Changed: ${paths.slice(0, 3).join(", ")}${more}: ${what}`;
    const { level } = platformEvents[event];
    this.#ports.log({ time: Date.now(), level, event, message, fields: { files: paths.length } });
  }
}
