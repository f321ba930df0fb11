/** What is known of every service that there ever was, in memory and on the disk, and the code of its revisions. */

import { join } from "node:path";
import { forgetCode } from "./code.ts";
import { noState, type ServiceState, StateStore } from "./store.ts";

export class Ledger {
  readonly #store: StateStore;
  /** Where code is kept. */
  readonly codeDir: string;
  #states: ReadonlyMap<string, ServiceState>;

  /**
   * Reads what is there.
   * @throws HeadraceError state_in_use, state_unusable
   */
  constructor(stateDir: string) {
    this.#store = StateStore.open(stateDir);
    this.codeDir = join(stateDir, "code");
    try {
      this.#states = this.#store.load();
    } catch (error) {
      this.#store.close();
      throw error;
    }
  }

  /** Of a service that nobody knows, nothing. */
  state(service: string): ServiceState {
    return this.#states.get(service) ?? noState;
  }

  /** On the disk when it returns: what is routed can always be restored. @throws HeadraceError state_not_written */
  keep(states: ReadonlyMap<string, ServiceState>): void {
    this.#store.save(states);
    this.#states = new Map([...this.#states, ...states]);
  }

  /** Code that no revision is made of any more goes. What cannot be removed now is tried again the next time. */
  async collect(): Promise<void> {
    const records = [...this.#states.values()].flatMap(({ revisions }) => [...revisions.values()]);
    await forgetCode(this.codeDir, new Set(records.map(({ code }) => code))).catch(() => {});
  }

  close(): void {
    this.#store.close();
  }
}
