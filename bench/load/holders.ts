/**
 * A process of clients that hold many requests open at once; holding.ts starts several. Every client has a connection of its own
 * and sends one request at a moment that was fixed before the run (open loop): its latency counts from that moment.
 *
 * The parent sends a Plan. When all connections stand the child sends Connected; the parent answers with the moment to begin.
 */
import type { Socket } from "bun";
import { readAnswer } from "./probe.ts";

export interface Plan {
  readonly port: number;
  readonly addresses: readonly string[];
  readonly connections: number;
  /** Connections made a second. */
  readonly connectRate: number;
  /** The requests are spread evenly over this time. */
  readonly rampMs: number;
  readonly timeoutMs: number;
}

export interface Connected {
  readonly type: "connected";
  readonly connections: number;
  readonly errors: Record<string, number>;
  readonly connectMs: readonly number[];
}

export interface Finished {
  readonly type: "finished";
  /** From the intended moment to the last byte, of the requests answered with 200. */
  readonly latencyMs: readonly number[];
  readonly errors: Record<string, number>;
}

interface Client {
  socket: Socket<Client> | undefined;
  connectedAt: number;
  dueAt: number;
  sent: boolean;
  done: boolean;
  got: Buffer;
}

const TICK_MS = 5;
const NOTHING = Buffer.alloc(0);
/** Of a right answer: "held". */
const BODY_BYTES = 4;

class Holders {
  readonly #plan: Plan;
  readonly #errors: Record<string, number> = {};
  readonly #clients: Client[] = [];
  readonly #connectMs: number[] = [];
  readonly #latencyMs: number[] = [];
  #over = 0;
  #finish: (() => void) | undefined;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  async connect(): Promise<Connected> {
    const { connections, connectRate } = this.#plan;
    const began = performance.now();
    const pending: Promise<void>[] = [];
    while (pending.length < connections) {
      const due = Math.min(connections, Math.ceil(((performance.now() - began) * connectRate) / 1000));
      while (pending.length < due) pending.push(this.#open(pending.length));
      await Bun.sleep(TICK_MS);
    }
    await Promise.all(pending);
    const up = this.#clients.filter((client) => client.socket !== undefined && !client.done).length;
    return { type: "connected", connections: up, errors: { ...this.#errors }, connectMs: this.#connectMs };
  }

  /** Sends every request at its moment; resolves when all are answered, or the time is over. */
  async hold(): Promise<Finished> {
    const { rampMs, timeoutMs, port, addresses } = this.#plan;
    const request = Buffer.from(
      `GET /hold HTTP/1.1\r\nhost: ${addresses[0]}:${port}\r\nuser-agent: bench\r\n\r\n`,
    );
    const clients = this.#clients.filter((client) => client.socket !== undefined && !client.done);
    const began = performance.now();
    clients.forEach((client, i) => {
      client.dueAt = began + (i / clients.length) * rampMs;
    });
    const all = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    this.#over = clients.length;
    for (let next = 0; next < clients.length; await Bun.sleep(TICK_MS)) {
      const now = performance.now();
      for (; next < clients.length && clients[next]!.dueAt <= now; next++) {
        const client = clients[next]!;
        if (client.done) continue;
        client.sent = true;
        client.socket!.write(request);
      }
    }
    await Promise.race([all, Bun.sleep(timeoutMs)]);
    for (const client of clients) if (!client.done) this.#fail(client, "no answer in time");
    return { type: "finished", latencyMs: this.#latencyMs, errors: this.#errors };
  }

  async #open(i: number): Promise<void> {
    const { port, addresses } = this.#plan;
    const client: Client = {
      socket: undefined,
      connectedAt: 0,
      dueAt: 0,
      sent: false,
      done: false,
      got: NOTHING,
    };
    this.#clients.push(client);
    const began = performance.now();
    try {
      client.socket = await Bun.connect<Client>({
        hostname: addresses[i % addresses.length]!,
        port,
        data: client,
        socket: {
          data: (socket, chunk) => this.#read(socket.data, chunk),
          close: (socket) => this.#fail(socket.data, "closed"),
          error: (socket) => this.#fail(socket.data, "failed"),
          end: (socket) => this.#fail(socket.data, "ended"),
        },
      });
      this.#connectMs.push(performance.now() - began);
    } catch (error) {
      this.#fail(client, `connect ${(error as { code?: string }).code ?? "failed"}`);
    }
  }

  #read(client: Client, chunk: Uint8Array): void {
    if (client.done) return;
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    client.got = client.got === NOTHING ? Buffer.from(piece) : Buffer.concat([client.got, piece]);
    const text = client.got.toString("latin1", 0, 1_000);
    if (text.length < "HTTP/1.1 200".length) return;
    if (!text.startsWith("HTTP/1.1 200")) {
      this.#fail(
        client,
        `status ${text.slice(9, 12)} ${/headrace-reason: (\S+)/i.exec(text)?.[1] ?? ""}`.trim(),
      );
      return;
    }
    const answer = readAnswer(client.got, false);
    if (answer === null) return;
    if (answer.bodyBytes !== BODY_BYTES) {
      this.#fail(client, `a body of ${answer.bodyBytes} bytes`);
      return;
    }
    this.#latencyMs.push(performance.now() - client.dueAt);
    this.#done(client);
  }

  #fail(client: Client, why: string): void {
    if (client.done) return;
    this.#errors[why] = (this.#errors[why] ?? 0) + 1;
    this.#done(client);
  }

  #done(client: Client): void {
    client.done = true;
    client.got = NOTHING;
    if (--this.#over === 0) this.#finish?.();
  }
}

if (import.meta.main) {
  let holders: Holders | undefined;
  process.on("disconnect", () => process.exit(1));
  process.on("message", async (message: Plan | "go" | "stop") => {
    if (message === "stop") process.exit(0);
    if (message === "go") process.send?.(await holders?.hold());
    else {
      holders = new Holders(message);
      process.send?.(await holders.connect());
    }
  });
}
