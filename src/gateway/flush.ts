/**
 * Write coalescing for a whole gateway process. Whoever has bytes to send marks itself dirty instead of making a
 * system call; once all sockets that were readable have been read, everything marked is flushed: the requests of many
 * clients leave for an instance in one write.
 *
 * That moment is an immediate, which runs after the event loop has handed out its events. What an instance has sent is the work of
 * many requests already, so its callback ends with {@link flushAll} and does not wait.
 */

/** Something with bytes to send. */
export interface Flushable {
  /** Sends what is queued. May mark itself or others dirty again; they are flushed in the same round. */
  flush(): void;
}

const dirty: Flushable[] = [];
let flushing = false;
let scheduled = false;

/** Has `item` flushed at the end of this round of the event loop, or with the next {@link flushAll}. The caller marks an item once until it is flushed. */
export function markDirty(item: Flushable): void {
  dirty.push(item);
  if (!scheduled && !flushing) {
    scheduled = true;
    setImmediate(flushScheduled);
  }
}

/**
 * Flushes everything marked, including what is marked meanwhile. A nested call does nothing: the outer one goes on.
 * What a flush throws is thrown again at the end, so that it cannot keep the others from being flushed.
 */
export function flushAll(): void {
  if (flushing || dirty.length === 0) return;
  flushing = true;
  let failed = false;
  let failure: unknown;
  for (let at = 0; at < dirty.length; at++) {
    try {
      dirty[at]!.flush();
    } catch (error) {
      failure = failed ? failure : error;
      failed = true;
    }
  }
  dirty.length = 0;
  flushing = false;
  if (failed) throw failure;
}

function flushScheduled(): void {
  scheduled = false;
  flushAll();
}
