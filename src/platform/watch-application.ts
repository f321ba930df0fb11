/** `headrace up --watch`: the file changes, it is applied; Python files of a service change, it gets a new revision. */

import { basename, dirname } from "node:path";
import { HeadraceError, messageOf } from "../base/errors.ts";
import type { Undo } from "../base/release.ts";
import type { ApplicationConfig } from "../config/file/config.ts";
import { watchFiles } from "../instances/index.ts";
import type { LogSink } from "../model/log.ts";
import { appFolder } from "./pool-spec.ts";

export interface WatchPorts {
  readonly log: LogSink;
  apply(): Promise<void>;
  deploy(service: string): Promise<void>;
}

/** Starts watching and answers how to stop. The services are those of the start; one that the file adds later is watched by a new start. */
export function watchApplication(application: ApplicationConfig, ports: WatchPorts): Undo {
  const told = (what: string, change: () => Promise<void>) => (changed: readonly string[]) => {
    const message = `Changed: ${changed.slice(0, 3).join(", ")}: ${what}`;
    const event = "platform.changed";
    ports.log({ time: Date.now(), level: "info", event, message, fields: { files: changed.length } });
    change().catch((error: unknown) => {
      // What does not start has told why, with the traceback.
      if (error instanceof HeadraceError) return;
      ports.log({ time: Date.now(), level: "error", event, message: messageOf(error), fields: {} });
    });
  };
  const { file } = application;
  const watchers = application.services.map(({ name, run }) =>
    watchFiles(
      { folders: [appFolder(run)], include: ["*.py"] },
      told(`${name} is loaded anew`, () => ports.deploy(name)),
    ),
  );
  watchers.push(
    watchFiles(
      { folders: [dirname(file)], include: [basename(file)] },
      told("the file is applied", () => ports.apply()),
    ),
  );
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}
