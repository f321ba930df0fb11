/** One contract, every framework and calling convention. The apps are in test/apps/frameworks/. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { ask } from "./client.ts";
import { APPS, eventually, Headrace, PATIENCE_MS, soon } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 2);

interface Served {
  readonly app: string;
  readonly args?: readonly string[];
  /** What it has beyond the contract. */
  readonly also?: readonly ("background" | "websocket")[];
  readonly kind: "asgi" | "wsgi";
}

const table: Record<string, Served> = {
  Starlette: { app: "starlette_app.py", also: ["background", "websocket"], kind: "asgi" },
  FastAPI: { app: "fastapi_app.py:app", also: ["background", "websocket"], kind: "asgi" },
  "FastAPI on plain asyncio": {
    app: "fastapi_app.py",
    args: ["--loop", "asyncio"],
    also: ["background"],
    kind: "asgi",
  },
  Quart: { app: "quart_app.py", also: ["background", "websocket"], kind: "asgi" },
  "Django ASGI": { app: "django_app.py:asgi", kind: "asgi" },
  "Django WSGI": { app: "django_app.py:wsgi", kind: "wsgi" },
  Flask: { app: "flask_app.py", kind: "wsgi" },
  "Flask on gevent": { app: "flask_app.py", args: ["--worker-class", "gevent"], kind: "wsgi" },
  "an ASGI 2 double callable": { app: "bare.py:Asgi2", args: ["--interface", "asgi"], kind: "asgi" },
  "a WSGI class": { app: "bare.py:Wsgi", args: ["--interface", "wsgi"], kind: "wsgi" },
};

for (const preload of ["app", "off"]) {
  describe(`--preload ${preload}`, () => {
    for (const [name, served] of Object.entries(table)) {
      // gevent patches before the app is imported, so it cannot come out of a zygote that has it imported.
      if (preload === "app" && served.args?.includes("gevent") === true) continue;
      test(name, () => holds(served, preload));
    }
  });
}

async function holds(served: Served, preload: string): Promise<void> {
  await using headrace = await Headrace.start(join(APPS, "frameworks", served.app), {
    args: [...(served.args ?? []), "--preload", preload],
  });
  const { port } = headrace;
  expect((await headrace.status()).interface).toBe(served.kind);
  const hello = await ask(port, "GET", "/hello/ada");
  expect([hello.status, hello.body.toString()]).toEqual([200, "hello ada"]);
  const body = "x".repeat(200_000);
  const echo = await ask(
    port,
    "POST",
    "/echo",
    ["content-type: text/x-story", `content-length: ${body.length}`],
    body,
  );
  expect(echo.body.toString()).toBe(body);
  expect(Object.fromEntries(echo.headers)["content-type"]).toStartWith("text/x-story");
  expect((await ask(port, "GET", "/stream")).body.toString()).toBe("0 1 2 3 4 ");
  expect((await ask(port, "GET", "/no/such/path")).status).toBe(404);
  if (served.also?.includes("background") === true) await background(port);
  if (served.also?.includes("websocket") === true) await socket(headrace);
}

async function background(port: number): Promise<void> {
  expect((await ask(port, "GET", "/background")).body.toString()).toBe("soon");
  await eventually("the background task", async () =>
    (await ask(port, "GET", "/done")).body.toString().includes("done") ? true : undefined,
  );
}

async function socket(headrace: Headrace): Promise<void> {
  const client = new WebSocket(`${headrace.url.replace("http", "ws")}/ws`);
  const answer = new Promise((resolve) => client.addEventListener("message", ({ data }) => resolve(data)));
  await soon("the WebSocket", new Promise((resolve) => client.addEventListener("open", resolve)));
  client.send("louder");
  expect(await soon("its answer", answer)).toBe("LOUDER");
  client.close();
}
