/** The apps that parts share, with the answers that count as right. */
import type { App } from "../stacks/stack.ts";

export const RAW: App = { name: "raw ASGI", target: "raw:app", kind: "asgi", path: "/", length: 13 };
export const FASTAPI: App = {
  name: "FastAPI",
  target: "fastapi_app:app",
  kind: "asgi",
  path: "/shelves/42?q=corn",
  length: 10_008,
};
export const DJANGO: App = {
  name: "Django",
  target: "django_app:app",
  kind: "wsgi",
  path: "/items/42?q=corn",
  length: 27,
};
export const FLASK: App = { name: "Flask", target: "flask_app:app", kind: "wsgi", path: "/", length: 13 };
export const FUNCTION: App = {
  name: "function",
  target: "function_app:hello",
  kind: "function",
  path: "/",
  length: 13,
};
/** /N answers after N seconds. */
export const SLEEPER: App = { name: "sleeper", target: "sleeper:app", kind: "asgi", path: "/", length: 5 };

/** Requests that an instance works on at a time, by default; peers without such a limit have none. */
const DEFAULT = 80;
/** No limit that the clients of any part reach. */
const OPEN = 5_000;
/** Threads of everything that runs an app in threads. */
const THREADS = 8;

export const ONE = { processes: 1, slots: DEFAULT };
export const TWO = { processes: 2, slots: DEFAULT };
export const EIGHT = { processes: 8, slots: DEFAULT };
export const WIDE = { processes: 1, slots: OPEN };
export const THREADED = { processes: 1, slots: THREADS };
