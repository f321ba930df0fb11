import { messageOf } from "../base/errors.ts";
import type { Route } from "./ports.ts";

/**
 * Publishes the gateways' list one call at a time. Calls that come while one is under way share the next, which reads the list as it is
 * then. A list that every gateway has acknowledged already is not published again.
 */
export class Publisher {
  readonly #list: () => readonly Route[];
  readonly #publish: (routes: readonly Route[]) => Promise<void>;
  readonly #failed: (message: string) => void;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** Ids of the list that was acknowledged last; undefined when unknown. */
  #acknowledged: string | undefined = "";

  constructor(
    list: () => readonly Route[],
    publish: (routes: readonly Route[]) => Promise<void>,
    failed: (message: string) => void,
  ) {
    this.#list = list;
    this.#publish = publish;
    this.#failed = failed;
  }

  /** Resolves when every gateway has acknowledged a list that is at least as new as this call. Never rejects. */
  sync(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#run();
      return this.#running;
    }
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      this.#running = this.#run();
      return this.#running;
    });
    return this.#next;
  }

  async #run(): Promise<void> {
    // Everything that changes in this turn of the event loop goes out in one list.
    await Promise.resolve();
    const routes = this.#list();
    const key = routes.map((route) => route.id).join(" ");
    try {
      if (key !== this.#acknowledged) await this.#publish(routes);
      this.#acknowledged = key;
    } catch (error) {
      this.#acknowledged = undefined;
      this.#failed(messageOf(error));
    }
    if (this.#next === undefined) this.#running = undefined;
  }
}
