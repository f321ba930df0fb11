/** `--reload`: files change, the pool reloads. A change that does not start leaves what runs as it is. */

import type { Undo } from "../base/release.ts";
import type { RunConfig } from "../config/run-config.ts";
import { PYTHON_FILES, watchFiles } from "../instances/index.ts";
import type { LogSink } from "../model/log.ts";
import { appFolder } from "./pool-spec.ts";

/** Starts watching and answers how to stop. `reload` says by itself how it went. */
export function watchForReload(config: RunConfig, reload: () => Promise<void>, log: LogSink): Undo {
  const folders = config.reloadDirs.length > 0 ? config.reloadDirs : [appFolder(config)];
  const watcher = watchFiles({ folders, include: [PYTHON_FILES, ...config.reloadInclude] }, (changed) => {
    const names = changed.slice(0, 3).join(", ");
    const message = `Changed: ${names}${changed.length > 3 ? ` and ${changed.length - 3} more` : ""}`;
    log({
      time: Date.now(),
      level: "info",
      event: "platform.changed",
      message,
      fields: { files: changed.length },
    });
    // The pool has said why, with the traceback.
    reload().catch(() => {});
  });
  return () => watcher.close();
}
