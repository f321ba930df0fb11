import { describe, expect, test } from "bun:test";
import { Fleet } from "./fleet.ts";
import { Histogram } from "./histogram.ts";
import { Agenda, Fifo } from "./queues.ts";
import { seededRandom } from "./random.ts";

describe("the fleet", () => {
  test("does what a plain list of instances would do", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = seededRandom(seed);
      const concurrency = 1 + Math.floor(random.next() * 4);
      const fleet = new Fleet(concurrency);
      const inFlight = new Map<number, number>();
      const held: number[] = [];
      let fresh = 0;
      const routed = () => [...inFlight.values()];
      const idlest = () => Math.min(...routed(), Number.POSITIVE_INFINITY);
      for (let step = 0; step < 500; step += 1) {
        const dice = random.next();
        if (dice < 0.1) {
          fleet.add();
          fresh += 1;
        } else if (dice < 0.5) {
          const least = fresh > 0 ? 0 : idlest();
          const id = fleet.take();
          expect(id === -1).toBe(least >= concurrency);
          if (id === -1) continue;
          if (!inFlight.has(id)) fresh -= 1;
          expect(inFlight.get(id) ?? 0).toBe(least);
          inFlight.set(id, (inFlight.get(id) ?? 0) + 1);
          held.push(id);
        } else if (dice < 0.9 && held.length > 0) {
          const [id] = held.splice(Math.floor(random.next() * held.length), 1);
          expect(fleet.release(id!)).toBe(true);
          const left = inFlight.get(id!)! - 1;
          inFlight.set(id!, left);
          if (left > 0) continue;
          // An idle instance and one that was never used are alike.
          fresh += 1;
          inFlight.delete(id!);
        } else if (fleet.ready > 0) {
          const least = fresh > 0 ? 0 : idlest();
          const draining = fleet.draining;
          fleet.remove();
          expect(fleet.draining - draining).toBe(least === 0 ? 0 : 1);
          if (least === 0) fresh -= 1;
          // Which of those that are equally busy has left is the fleet's own matter.
          else break;
        }
        expect([fleet.ready, fleet.draining]).toEqual([fresh + routed().length, 0]);
      }
    }
  });

  test("one that leaves with requests finishes them and takes no more", () => {
    const fleet = new Fleet(2);
    fleet.add();
    const [first, second] = [fleet.take(), fleet.take()];
    expect([first, second, fleet.take()]).toEqual([0, 0, -1]);
    fleet.remove();
    expect([fleet.ready, fleet.draining, fleet.take()]).toEqual([0, 1, -1]);
    expect(fleet.release(first)).toBe(false);
    expect(fleet.draining).toBe(1);
    expect(fleet.release(second)).toBe(false);
    expect(fleet.draining).toBe(0);
    fleet.add();
    expect([fleet.ready, fleet.take()]).toEqual([1, 0]);
  });

  test("the idlest leaves first", () => {
    const fleet = new Fleet(3);
    for (let index = 0; index < 3; index += 1) fleet.add();
    const taken = [fleet.take(), fleet.take(), fleet.take(), fleet.take()];
    const idle = taken[1]!;
    fleet.release(idle);
    fleet.remove();
    expect([fleet.ready, fleet.draining]).toEqual([2, 0]);
    fleet.remove();
    expect([fleet.ready, fleet.draining]).toEqual([1, 1]);
  });
});

describe("queues", () => {
  test("first in, first out, beyond the first size, around its end", () => {
    const fifo = new Fifo();
    const list: number[] = [];
    for (let step = 0; step < 10_000; step += 1) {
      fifo.push(step);
      list.push(step);
      if (step % 3 === 0) expect(fifo.shift()).toBe(list.shift()!);
      if (step % 100 === 0) {
        fifo.pop();
        list.pop();
      }
    }
    expect([fifo.length, fifo.peek()]).toEqual([list.length, list[0]!]);
    while (list.length > 0) expect(fifo.shift()).toBe(list.shift()!);
    expect([fifo.length, fifo.peek(), fifo.shift()]).toEqual([
      0,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    fifo.pop();
    expect(fifo.length).toBe(0);
  });

  test("the agenda gives the earliest first", () => {
    const random = seededRandom(5);
    const agenda = new Agenda();
    const entries = Array.from({ length: 3_000 }, (_, tag) => ({
      time: Math.floor(random.next() * 1e6),
      tag,
    }));
    for (const { time, tag } of entries) agenda.add(time, tag);
    const times: number[] = [];
    const tags = new Set<number>();
    while (agenda.length > 0) {
      const time = agenda.next;
      const tag = agenda.take();
      expect(entries[tag]!.time).toBe(time);
      times.push(time);
      tags.add(tag);
    }
    expect(times).toEqual(entries.map(({ time }) => time).sort((a, b) => a - b));
    expect([tags.size, agenda.next]).toEqual([3_000, Number.POSITIVE_INFINITY]);
  });
});

describe("the histogram", () => {
  test("percentiles are right within two percent", () => {
    const histogram = new Histogram();
    for (let value = 1; value <= 10_000; value += 1) histogram.add(value);
    for (const share of [0.01, 0.5, 0.95, 0.99]) {
      const off = histogram.percentile(share) / (share * 10_000);
      expect(off).toBeGreaterThan(0.97);
      expect(off).toBeLessThan(1.03);
    }
    expect([histogram.percentile(1), histogram.largest, histogram.total]).toEqual([10_000, 10_000, 10_000]);
  });

  test("no wait is no wait, weights weigh, nothing is nothing", () => {
    const histogram = new Histogram();
    expect([histogram.percentile(0.5), histogram.largest]).toEqual([0, 0]);
    histogram.add(0, 99.5);
    histogram.add(1_000, 0.5);
    expect(histogram.percentile(0.99)).toBe(0);
    expect(histogram.percentile(0.999)).toBeGreaterThan(980);
    histogram.clear();
    expect([histogram.total, histogram.percentile(0.5)]).toEqual([0, 0]);
  });
});
