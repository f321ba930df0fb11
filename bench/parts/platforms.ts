/** Platforms that serve models, with the smallest model. Their own processes are many: nothing else is measured beside them. */
import type { Part } from "../frame/part.ts";
import { METRICS } from "../frame/part.ts";
import { headrace } from "../stacks/headrace.ts";
import { litServe, rayServe } from "../stacks/platforms.ts";
import { uvicorn } from "../stacks/python.ts";
import type { App } from "../stacks/stack.ts";
import { ONE } from "./apps.ts";
import { warm, wave } from "./loaded.ts";

const PREDICT: App = {
  name: "predict",
  target: "predict_app:app",
  kind: "asgi",
  path: "/health",
  length: 15,
};
const CONNECTIONS = 64;

export const platforms: Part = {
  name: "platforms",
  about: `POST /predict with a number in JSON, which comes back: FastAPI, the same app as a deployment of Ray Serve, and a LitServe API; one process with the model each, ${CONNECTIONS} connections.`,
  wrk: true,
  metrics: METRICS,
  estimate: ({ rounds, seconds, quick }) => (quick ? 45 : rounds * 4 * (seconds + 0.2) + 35),
  async run(bench) {
    const app = { ...PREDICT, ready: "/health" };
    const stacks = [headrace(app, ONE), uvicorn(app, ONE), rayServe(), litServe()];
    const check = { path: "/predict", length: 12, body: '{"number":7}' };
    await bench.keep("predict", app, stacks, async (running) => {
      await warm(bench, running, check);
      const { seconds } = bench.settings;
      const of = { case: `predict, ${CONNECTIONS} connections`, check, connections: CONNECTIONS, seconds };
      await bench.turns(running, [wave(bench, of)]);
    });
  },
};
