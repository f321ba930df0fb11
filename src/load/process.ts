/** Generator processes: started, told what to do, listened to. */

import type { FromGenerator, ToGenerator } from "./messages.ts";

/** A generator process of any kind. */
export interface GeneratorProcess<Plan> {
  readonly pid: number;
  /** What is sent to one that has ended is dropped. */
  send(message: ToGenerator<Plan>): void;
  /** Whom its messages go to; one listener, set before the plan is sent. */
  listen(listener: (message: FromGenerator) => void): void;
  /** Resolves with how it ended: `exit code 1`, `SIGKILL`. */
  readonly exited: Promise<string>;
  kill(): void;
}

/** Starts one of our own. @param command runs generator.ts on its channel */
export function spawnGenerator<Plan>(command: readonly string[]): GeneratorProcess<Plan> {
  let listener: (message: FromGenerator) => void = () => {};
  const child = Bun.spawn([...command], {
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "json",
    ipc: (message) => listener(message as FromGenerator),
  });
  return {
    pid: child.pid,
    send: (message) => {
      // To one that is done, or dead, there is nothing more to say: its end is told by `exited`.
      if (child.exitCode === null && child.signalCode === null) child.send(message);
    },
    listen: (next) => {
      listener = next;
    },
    exited: child.exited.then((code) =>
      child.signalCode === null ? `exit code ${code}` : String(child.signalCode),
    ),
    kill: () => child.kill("SIGKILL"),
  };
}
