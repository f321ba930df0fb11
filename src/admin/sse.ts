/** Answers that go on: text that is sent as it comes, to readers that keep up. */

export interface StreamSource {
  /** Sent at once. */
  readonly first: readonly string[];
  /** Calls `send` for all that follows, until the answered function is called. Null: the answer ends with `first`. */
  readonly follow: ((send: (text: string) => void) => () => void) | null;
  /** Called when the reader is cut off because it did not keep up. */
  readonly dropped: () => void;
  /** How often a comment is sent, so that both sides notice a connection that is gone. */
  readonly heartbeatMs: number;
}

/** What may wait for a reader, beside what the system's buffers hold; more, and it is cut off. */
export const BEHIND_BYTES = 1024 * 1024;

/** All streams of a server, so that they end when it stops. */
export class Streams {
  readonly #open = new Set<() => void>();
  readonly #encoder = new TextEncoder();

  /** An answer with a stream of server-sent events. */
  answer(source: StreamSource): Response {
    let end = () => {};
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          end = this.#run(source, controller);
        },
        cancel: () => end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: BEHIND_BYTES }),
    );
    const headers = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" };
    return new Response(body, { headers });
  }

  /** Ends all of them, as if there were nothing more to come. */
  close(): void {
    for (const end of [...this.#open]) end();
  }

  #run(source: StreamSource, controller: ReadableStreamDefaultController<Uint8Array>): () => void {
    let unlisten = () => {};
    const write = (text: string) => controller.enqueue(this.#encoder.encode(text));
    // What is held already may be more than a reader may be behind.
    if (source.first.length > 0) write(source.first.join(""));
    const behind = controller.desiredSize === null ? 0 : BEHIND_BYTES - controller.desiredSize;
    const send = (text: string) => {
      if ((controller.desiredSize ?? 0) + behind > 0) write(text);
      else {
        stop();
        controller.error(new Error("the reader is too slow"));
        source.dropped();
      }
    };
    const heart = setInterval(() => send(":\n\n"), source.heartbeatMs);
    const stop = () => {
      clearInterval(heart);
      unlisten();
      this.#open.delete(end);
    };
    const end = () => {
      stop();
      try {
        controller.close();
      } catch {
        // The reader has gone by itself.
      }
    };
    if (source.follow === null) {
      end();
      return end;
    }
    this.#open.add(end);
    // Sent at once so that a reader knows that it is connected, also while nothing happens.
    write(":\n\n");
    unlisten = source.follow(send);
    return end;
  }
}
