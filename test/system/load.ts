/** Clients that keep asking, for stories under load. */

import { RawClient } from "./client.ts";

/** Keep-alive clients that ask again and again, each request answered before the next. */
export class Load {
  answered = 0;
  /** Answers that are not 200, and connections that failed. */
  readonly wrong: string[] = [];
  /** What the answers said. */
  readonly bodies = new Set<string>();
  #going = true;
  readonly #clients: Promise<void>[];

  constructor(port: number, clients: number, target: () => string) {
    this.#clients = Array.from({ length: clients }, () => this.#client(port, target));
  }

  async #client(port: number, target: () => string): Promise<void> {
    using client = await RawClient.open(port);
    while (this.#going) {
      try {
        const answer = await client.request("GET", target()).answer();
        if (answer.status === 200) this.bodies.add(answer.body.toString());
        else this.wrong.push(`${answer.status} ${answer.body}`);
        this.answered++;
      } catch (error) {
        this.wrong.push(String(error));
        return;
      }
    }
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#clients);
  }
}
