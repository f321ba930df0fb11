/** All parts, in the order in which they run: where time is short the last ones are left out. */
import type { Part } from "../frame/part.ts";
import { awaits } from "./awaits.ts";
import { changes } from "./changes.ts";
import { churn } from "./churn.ts";
import { coldStart } from "./cold-start.ts";
import { connections } from "./connections.ts";
import { cpu } from "./cpu.ts";
import { generators } from "./generators.ts";
import { inFlight, inFlightMany } from "./in-flight.ts";
import { memory } from "./memory.ts";
import { mixed } from "./mixed.ts";
import { overload } from "./overload.ts";
import { platforms } from "./platforms.ts";
import { scaleOut } from "./scale-out.ts";
import { services } from "./services.ts";
import { throughput } from "./throughput.ts";
import { transfer } from "./transfer.ts";
import { websocket } from "./websocket.ts";

export const parts: readonly Part[] = [
  throughput,
  cpu,
  memory,
  transfer,
  websocket,
  connections,
  awaits,
  mixed,
  coldStart,
  scaleOut,
  overload,
  generators,
  services,
  inFlight,
  platforms,
  churn,
  changes,
  inFlightMany,
];
