/** A process with few files left turns connections away, and goes on serving those it has. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { RawClient } from "./http1/testing/client.ts";

setDefaultTimeout(60_000);

const FILES = 200;
const INSTANCES = 20;
/** What `connectionLimit` and the instances leave of {@link FILES}. */
const TAKEN = 52;

const SERVER = `
import { Listener } from ${JSON.stringify(join(import.meta.dir, "listener.ts"))};
import { settings } from ${JSON.stringify(join(import.meta.dir, "http1/testing/harness.ts"))};
const none = () => undefined;
const listener = await Listener.start({
  settings: settings(),
  refused: none,
  instanceFiles: () => ${INSTANCES},
  log: (record) => process.stderr.write(record.event + "\\n"),
  accept: (_head, client) => {
    client.respond(204, new Uint8Array(0), true, false);
    return { body: none, sent: none, message: none, closed: none, gone: none, finished: none };
  },
});
process.stdout.write(listener.port + "\\n");
`;

/** Undefined when the server's reset came before our side had seen that it was connected. */
async function connectOrReset(port: number): Promise<RawClient | undefined> {
  try {
    return await RawClient.connect({ port });
  } catch (error) {
    if ((error as { code?: string }).code === "ECONNRESET") return undefined;
    throw error;
  }
}

test("connections near the limit of open files are turned away", async () => {
  const server = Bun.spawn(["sh", "-c", `ulimit -n ${FILES}; exec "$0" -e "$1"`, process.execPath, SERVER], {
    stdout: "pipe",
    stderr: "pipe",
  });
  try {
    const { value } = await server.stdout.getReader().read();
    const port = Number(new TextDecoder().decode(value));
    const clients: RawClient[] = [];
    for (let i = 0; i < TAKEN; i++) clients.push(await RawClient.connect({ port }));
    for (let i = 0; i < 40; i++) {
      const turnedAway = await connectOrReset(port);
      await turnedAway?.until("close", (client) => client.closed);
    }
    for (const served of clients) {
      await served.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await served.untilText("HTTP/1.1 204 ");
      served.close();
    }
    // Places that have become free are taken again, once the server has seen that they are.
    let answered = false;
    while (!answered) {
      const late = await connectOrReset(port);
      if (late === undefined) continue;
      await late.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await late.until("answer or close", (client) => client.closed || client.text.includes("204"));
      answered = late.text.includes("204");
    }
  } finally {
    server.kill();
  }
  await server.exited;
  expect(await new Response(server.stderr).text()).toBe("gateway.connections_full\n");
});
