import { expect, test } from "bun:test";
import type { InstanceState } from "../model/instance.ts";
import { Instance, type StateChange } from "./instance.ts";

const states: readonly InstanceState[] = ["starting", "ready", "draining", "stopping", "stopped", "failed"];

/** The drawing in instance.ts, once more, as edges. */
const drawn = new Set([
  "starting ready",
  "starting stopping",
  "starting failed",
  "ready draining",
  "ready failed",
  "draining stopping",
  "draining failed",
  "stopping stopped",
]);

/** A way from `starting` to each state. */
const ways: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  starting: [],
  ready: ["ready"],
  draining: ["ready", "draining"],
  stopping: ["stopping"],
  stopped: ["stopping", "stopped"],
  failed: ["failed"],
};

for (const from of states) {
  for (const to of states) {
    const allowed = drawn.has(`${from} ${to}`);
    test(`${from} ${allowed ? "becomes" : "never becomes"} ${to}`, () => {
      const changes: StateChange[] = [];
      const instance = new Instance("i-1", (change) => changes.push(change));
      for (const step of ways[from]) instance.become(step, "on the way");
      const before = changes.length;
      if (!allowed) {
        expect(() => instance.become(to, "why")).toThrow(`${from} cannot become ${to}`);
        expect(instance.state).toBe(from);
        expect(changes.length).toBe(before);
        return;
      }
      instance.become(to, "why");
      expect(instance.state).toBe(to);
      expect(changes.slice(before)).toEqual([{ from, to, why: "why" }]);
      expect(instance.isOver).toBe(to === "stopped" || to === "failed");
    });
  }
}
