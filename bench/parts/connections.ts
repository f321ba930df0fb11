/** A connection for every request. */
import { METRICS, type Part } from "../frame/part.ts";
import { headrace } from "../stacks/headrace.ts";
import { nginx } from "../stacks/nginx.ts";
import { granian, uvicorn } from "../stacks/python.ts";
import { ONE, RAW, TWO } from "./apps.ts";
import { warm, wave } from "./loaded.ts";

const CONNECTIONS = 64;

export const connections: Part = {
  name: "connections",
  about: `The raw ASGI app without keep-alive: every request brings a connection of its own, ${CONNECTIONS} at a time.`,
  wrk: true,
  metrics: METRICS,
  estimate: ({ rounds, seconds, quick }) => (quick ? 20 : rounds * 5 * (seconds + 0.2) + 10),
  async run(bench) {
    const one = [headrace, uvicorn, granian].map((make) => make(RAW, ONE));
    await bench.keep("raw ASGI", RAW, [...one, headrace(RAW, TWO), nginx(RAW, TWO)], async (running) => {
      await warm(bench, running, RAW);
      const { seconds } = bench.settings;
      const headers = ["Connection: close"];
      const check = { ...RAW, headers };
      const of = { case: "raw ASGI, no keep-alive", check, connections: CONNECTIONS, seconds };
      await bench.turns(running, [wave(bench, of)]);
    });
  },
};
