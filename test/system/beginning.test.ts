/** How an application begins when it ran before: after a kill, with other code on the disk, with what cannot be restored. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TrafficReport } from "../../src/model/revision.ts";
import { ask } from "./client.ts";
import { command, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";
import { RevisionWorld } from "./revision-world.ts";

setDefaultTimeout(PATIENCE_MS * 6);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

async function body(headrace: Headrace, target = "/"): Promise<string> {
  return (await ask(headrace.port, "GET", target)).body.toString();
}

/** The log of a Headrace that logs JSON: the one line of this event. */
function logged(headrace: Headrace, event: string): Record<string, string> | undefined {
  const line = headrace.output.lines().find((text) => text.includes(`"event":"${event}"`));
  return line === undefined ? undefined : JSON.parse(line);
}

const WEB = `
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"web"})
`;

describe("a start after a kill", () => {
  test("goes on with what ran where the code on the disk does not start, and takes it once it does", async () => {
    const world = await RevisionWorld.make(scratch.path);
    {
      const headrace = await world.up();
      await world.deploy("v2");
      await world.run("traffic", "api", "--to", "rev-2=60", "--to", "rev-1=40", "--tag", "blue=rev-1");
      await headrace.kill();
    }
    // Nobody has deployed this.
    writeFileSync(join(world.folder, "app.py"), "def (\n");
    const traffic = {
      targets: [
        { revision: "rev-2", weight: 60 },
        { revision: "rev-1", weight: 40 },
      ],
      tags: [{ tag: "blue", revision: "rev-1" }],
    };
    {
      const headrace = await world.up();
      expect(await body(headrace, "http://blue---shop.test/")).toBe("v1 v1");
      expect(["v1 v1", "v2 v2"]).toContain(await body(headrace));
      expect(await world.api<TrafficReport>(headrace, "traffic")).toMatchObject(traffic);
      const told = logged(headrace, "platform.start_kept")!;
      expect(told).toMatchObject({ level: "error", "service.name": "api", "service.version": "rev-3" });
      expect(told["message"]).toStartWith(
        "rev-3 of api did not start, so it goes on with rev-2 60%, rev-1 40%: ",
      );
      expect(told["traceback"]).toContain("SyntaxError");
      await headrace.kill();
    }
    world.code("v3");
    await using headrace = await world.up();
    expect(await body(headrace)).toBe("v3 v3");
    expect(logged(headrace, "platform.applied")!["message"]).toBe(
      "New revisions serve: rev-3 of api, because its code has changed; headrace rollback api brings back rev-2 60%, rev-1 40%",
    );
    await world.run("rollback", "api");
    expect(await world.api<TrafficReport>(headrace, "traffic")).toMatchObject(traffic);
  });

  test("takes what starts of one service, and goes on with what ran of another", async () => {
    const world = await RevisionWorld.make(scratch.path);
    const web = (text: string) => writeFileSync(join(world.folder, "web", "web.py"), text);
    mkdirSync(join(world.folder, "web"));
    web(WEB);
    const service = (more: string) =>
      world.write(`    route: { path: / }
  web: { app: web.py, dir: web, python: ${PYTHON}, route: { path: /web }${more} }`);
    service("");
    const first = await world.up();
    await first.kill();
    world.code("v2");
    web("def (\n");
    const second = await world.up();
    expect([await body(second), await body(second, "/web")]).toEqual(["v2 v2", "web"]);
    expect(logged(second, "platform.start_kept")).toMatchObject({ "service.name": "web" });
    await second.kill();
    // A file that is wrong is refused as a whole, whatever ran.
    service(', env: { MORE: "secret:env/NOWHERE" }');
    const refused = await command(["up", "-f", world.file], { env: world.env });
    expect([refused.status, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toContain("MORE is secret:env/NOWHERE, and that variable is not set.");
  });

  test("fails with the error of the code as it is, when what ran does not start any more, either", async () => {
    const world = await RevisionWorld.make(scratch.path);
    const first = await world.up();
    await first.kill();
    writeFileSync(join(world.folder, "app.py"), "import gone_tomorrow\n");
    // What ran needs a secret that is gone; the file does not speak of it any more.
    writeFileSync(world.file, readFileSync(world.file, "utf8").replace("secret:env/API_KEY", "word"));
    const { API_KEY: _, ...env } = world.env;
    const broken = await command(["up", "-f", world.file], { env });
    expect(broken.status).toBe(3);
    expect(broken.stderr).toContain("No module named 'gone_tomorrow'");
  });
});

describe("a start anew", () => {
  test("begins without the revisions that cannot be restored, whatever led to them", async () => {
    const world = await RevisionWorld.make(scratch.path);
    const first = await world.up();
    await world.deploy("v2");
    await world.deploy("v3", "--no-traffic");
    await world.run("traffic", "api", "--tag", "blue=rev-1", "--shadow", "rev-3=5%");
    await first.stop();
    // Another file, with other secrets: those of the older revisions are gone.
    writeFileSync(world.file, readFileSync(world.file, "utf8").replace("secret:env/API_KEY", "word"));
    const { API_KEY: _, ...env } = world.env;
    const broken = await command(["up", "-f", world.file], { env });
    expect(broken.status).toBe(2);
    expect(broken.stderr).toMatch(
      /headrace: rev-[13] of api cannot be restored: KEY is secret:env\/API_KEY, .* headrace up --fresh begins with what the file says\.\n$/,
    );
    await using headrace = await Headrace.up(world.file, world.ports, env, ["--fresh"]);
    expect(await body(headrace)).toBe("v3 v3");
    expect(await world.api<TrafficReport>(headrace, "traffic")).toMatchObject({
      targets: [{ revision: "rev-4", weight: 100 }],
      ...{ tags: [], shadow: null },
    });
  });
});
