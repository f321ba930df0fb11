/** An app that waits for something else, as most do. */
import { METRICS, type Part } from "../frame/part.ts";
import { headrace } from "../stacks/headrace.ts";
import { granian, uvicorn } from "../stacks/python.ts";
import { SLEEPER, WIDE } from "./apps.ts";
import { warm, wave } from "./loaded.ts";

const CASES = [
  { ms: 10, connections: 512, times: 1 },
  { ms: 100, connections: 2_048, times: 2 },
];

export const awaits: Part = {
  name: "awaits",
  about:
    "A raw ASGI app that awaits 10 ms with 512 requests at once, and 100 ms with 2,048 at once; Headrace with slots for all of them.",
  wrk: true,
  metrics: METRICS,
  estimate: ({ rounds, seconds, quick }) => (quick ? 15 : rounds * 3 * (3 * seconds + 0.4) + 8),
  async run(bench) {
    const one = [headrace, uvicorn, granian].map((make) => make(SLEEPER, WIDE));
    await bench.keep("sleeper", SLEEPER, one, async (running) => {
      await warm(bench, running, SLEEPER);
      const cases = bench.settings.quick ? CASES.slice(0, 1) : CASES;
      const loads = cases.map(({ ms, connections, times }) =>
        wave(bench, {
          case: `${ms} ms, ${connections} at once`,
          check: { path: `/${ms / 1_000}`, length: SLEEPER.length },
          connections,
          seconds: times * bench.settings.seconds,
        }),
      );
      await bench.turns(running, loads);
    });
  },
};
