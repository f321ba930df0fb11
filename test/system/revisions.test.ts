/** Several revisions of one service: shares, tags, the way back, and what is left after a kill. Through the command and HTTP only. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StatusReport } from "../../src/model/instance.ts";
import type { RevisionReport, TrafficReport } from "../../src/model/revision.ts";
import { ask, RawClient, values } from "./client.ts";
import { command, eventually, freePort, Headrace, PATIENCE_MS, scratchFolder } from "./harness.ts";
import { Load } from "./load.ts";
import { RevisionWorld } from "./revision-world.ts";

setDefaultTimeout(PATIENCE_MS * 6);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());
async function body(headrace: Headrace, head: readonly string[] = [], target = "/"): Promise<string> {
  return (await ask(headrace.port, "GET", target, head)).body.toString();
}

const at = (headrace: Headrace, host: string) => body(headrace, [], `http://${host}/`);

/** Asks so often, by several clients at once, and counts the answers. */
async function counted(
  headrace: Headrace,
  requests: number,
  head: (n: number) => readonly string[] = () => [],
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const clients = 8;
  await Promise.all(
    Array.from({ length: clients }, async (_, first) => {
      using client = await RawClient.open(headrace.port);
      for (let n = first; n < requests; n += clients) {
        const { status, body } = await client.request("GET", "/", head(n)).answer();
        const text = `${status} ${body}`;
        counts[text] = (counts[text] ?? 0) + 1;
      }
    }),
  );
  return counts;
}

const shares = ({ targets }: TrafficReport) => targets.map(({ revision, weight }) => `${revision} ${weight}`);

describe("several revisions of a service", () => {
  test("share the requests exactly, over all gateways, each with the code that it was made of", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    expect(await world.deploy("v2")).toBe("api serves rev-2.\n");
    expect(await world.deploy("v3")).toBe("api serves rev-3.\n");
    // The files are those of v3. rev-1 has no process that has ever imported it.
    const shown = await world.run(
      "traffic",
      "api",
      "--to",
      "rev-3=10",
      "--to",
      "rev-1=57",
      "--to",
      "rev-2=33%",
    );
    expect(shown).toBe(
      "REVISION  SHARE  TAGS\nrev-3       10%\nrev-2       33%\nrev-1       57%\n" +
        "headrace rollback api brings back: rev-3 100%\n",
    );
    expect(await counted(headrace, 10_000)).toEqual({
      "200 v1 v1": 5_700,
      "200 v2 v2": 3_300,
      "200 v3 v3": 1_000,
    });
    const ps = await command(["ps"], { env: world.env });
    expect(ps.stdout).toMatch(/rev-3\s+10%\s+1\nrev-2\s+33%\s+1\nrev-1\s+57%\s+1\n/);
    const status = (await (await fetch(`${headrace.adminUrl}/v1/services`)).json()) as StatusReport[];
    expect(status[0]!.revision).toBe("rev-1");
    expect(status[0]!.instances.map(({ revision }) => revision)).toEqual(["rev-3", "rev-2", "rev-1"]);
    const metrics = await headrace.metrics();
    expect(metrics).toContain('headrace_requests_total{service="api",revision="rev-1",code="200"} 5700');
  });

  test("keep no instances without a share, and come back by a rollback, and by another one go again", async () => {
    const world = await RevisionWorld.make(scratch.path, "    preload: off");
    await using headrace = await world.up();
    const load = new Load(headrace.port, 4, () => "/");
    await world.deploy("v2");
    expect(await body(headrace)).toBe("v2 v2");
    await eventually("the old instances to go", async () => {
      const [status] = (await (await fetch(`${headrace.adminUrl}/v1/services`)).json()) as StatusReport[];
      const revisions = (await world.api<RevisionReport[]>(headrace, "revisions")).map(
        ({ instances }) => instances,
      );
      return status!.instances.length === 1 && Bun.deepEquals(revisions, [1, 0]) ? true : undefined;
    });
    expect(await world.run("rollback", "api")).toStartWith("REVISION  SHARE  TAGS\nrev-1      100%\n");
    expect(await body(headrace)).toBe("v1 v1");
    await world.run("rollback", "api");
    expect(await body(headrace)).toBe("v2 v2");
    // An instance that is replaced imports what its revision was made of, too.
    await world.deploy("v3", "--no-traffic");
    expect(await body(headrace)).toBe("v2 v2");
    const [status] = (await (await fetch(`${headrace.adminUrl}/v1/services`)).json()) as StatusReport[];
    const old = status!.instances[0]!.id;
    await fetch(`${headrace.adminUrl}/v1/instances/${old}/restart`, { method: "POST" });
    await eventually("the new instance", async () => {
      const [now] = (await (await fetch(`${headrace.adminUrl}/v1/services`)).json()) as StatusReport[];
      return now!.instances.some(({ id }) => id === old) ? undefined : true;
    });
    expect(await body(headrace)).toBe("v2 v2");
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect([...load.bodies].sort()).toEqual(["v1 v1", "v2 v2"]);
  });

  test("are chosen by a key where the service says by which", async () => {
    const world = await RevisionWorld.make(scratch.path, "    split: { cookie: session }");
    await using headrace = await world.up();
    await world.deploy("v2");
    await world.run("traffic", "api", "--to", "rev-2=50", "--to", "rev-1=50");
    const of = async (user: number) => body(headrace, [`cookie: theme=dark; session=user-${user}`]);
    const first = await Promise.all(Array.from({ length: 60 }, (_, user) => of(user)));
    for (let again = 0; again < 3; again++) {
      expect(await Promise.all(first.map((_, user) => of(user)))).toEqual(first);
    }
    expect([...new Set(first)].sort()).toEqual(["v1 v1", "v2 v2"]);
    // Without a key each goes where its turn is.
    expect(await counted(headrace, 100)).toEqual({ "200 v1 v1": 50, "200 v2 v2": 50 });
  });

  test("keep their sticky clients while they have a share", async () => {
    const world = await RevisionWorld.make(scratch.path, "    affinity: { cookie: home, sticky: true }");
    await using headrace = await world.up();
    await world.deploy("v2");
    await world.run("traffic", "api", "--to", "rev-2=50", "--to", "rev-1=50");
    for (let client = 0; client < 6; client++) {
      const first = await ask(headrace.port, "GET", "/");
      const [cookie] = values(first, "set-cookie")[0]!.split(";");
      for (let again = 0; again < 4; again++) {
        const next = await ask(headrace.port, "GET", "/", [`cookie: ${cookie}`]);
        expect([next.body.toString(), values(next, "set-cookie")]).toEqual([first.body.toString(), []]);
      }
    }
  });

  test("are reached by their tag, whatever their share", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    expect(await world.deploy("v2", "--no-traffic")).toBe(
      "api has rev-2, which gets no requests yet. Look at it: headrace traffic api --tag next=rev-2\n",
    );
    expect(await world.run("traffic", "api", "--tag", "blue=rev-2")).toBe(
      "REVISION  SHARE  TAGS\nrev-1      100%\nrev-2        0%  blue\n",
    );
    expect(await at(headrace, "blue---shop.test")).toBe("v2 v2");
    expect(await at(headrace, "shop.test")).toBe("v1 v1");
    await world.run("traffic", "api", "--tag", "blue=rev-1", "--tag", "green=rev-2");
    expect(await at(headrace, "BLUE---shop.test:80")).toBe("v1 v1");
    expect(await at(headrace, "green---shop.test")).toBe("v2 v2");
    await world.run("traffic", "api", "--untag", "green");
    expect((await world.api<TrafficReport>(headrace, "traffic")).tags).toEqual([
      { tag: "blue", revision: "rev-1" },
    ]);
  });

  test("are listed with what made each, and with what it runs", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    world.write("    concurrency: 7");
    process.kill(headrace.pid, "SIGHUP");
    await headrace.output.waitFor("New revisions serve: rev-2 of api");
    await world.deploy("v2", "--no-traffic");
    await world.run("traffic", "api", "--tag", "next=rev-3", "--to", "rev-2=100", "--shadow", "rev-3=5");
    const listed = (await world.run("revisions", "api")).replaceAll(/ +/g, " ");
    expect(listed).toMatch(
      /^REVISION AGE MADE BY CODE SHARE SHADOW INSTANCES TAGS\nrev-3 \S+ deploy [0-9a-f]{12} 0% 5% 1 next\nrev-2 \S+ file ([0-9a-f]{12}) 100% - 1\nrev-1 \S+ start \1 0% - 0\n$/,
    );
    const [, second] = JSON.parse(await world.run("revisions", "api", "--json")) as RevisionReport[];
    expect(second).toMatchObject({ revision: "rev-2", options: { concurrency: 7 } });
  });

  test("are refused with a word when they cannot be as they are asked for", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    await world.deploy("v2");
    const to = (...words: readonly string[]) => world.refused("traffic", "api", ...words);
    expect(await to("--to", "rev-1=10", "--to", "rev-2=80")).toBe(
      "headrace: The shares add up to 90%, not 100%. Name every revision that is to get requests.\n",
    );
    expect(await to("--to", "rev-9=100")).toBe("headrace: There is no rev-9. There are rev-2, rev-1.\n");
    expect(await to("--to", "blue")).toContain('"blue" cannot be used');
    expect(await to("--tag", "Blue=rev-1")).toContain('"Blue" cannot be a tag');
    expect(await to("--untag", "blue")).toBe('headrace: There is no tag "blue". There are none.\n');
    // Nothing of it has changed anything.
    expect(shares(await world.api<TrafficReport>(headrace, "traffic"))).toEqual(["rev-2 100"]);
    writeFileSync(join(world.folder, "app.py"), "raise RuntimeError('broken')\n");
    const said = await world.refused("deploy", "api");
    expect(said).toMatch(
      /^Traceback .*\n(.*\n)*RuntimeError: broken\nheadrace: .*The traceback shows where\.\n$/,
    );
    expect(await body(headrace)).toBe("v2 v2");
    expect(
      (await world.api<RevisionReport[]>(headrace, "revisions")).map(({ revision }) => revision),
    ).toEqual(["rev-2", "rev-1"]);
  });
});

describe("the state of an application", () => {
  test("is what it was when the platform was killed: revisions with their code, shares, tags", async () => {
    const world = await RevisionWorld.make(scratch.path);
    {
      const headrace = await world.up();
      await world.deploy("v2");
      await world.deploy("v3");
      await world.run("traffic", "api", "--to", "rev-2=60", "--to", "rev-1=40", "--tag", "blue=rev-3");
      await headrace.kill();
    }
    await using headrace = await world.up();
    const traffic = await world.api<TrafficReport>(headrace, "traffic");
    expect(traffic).toEqual({
      service: "api",
      targets: [
        { revision: "rev-2", weight: 60 },
        { revision: "rev-1", weight: 40 },
      ],
      tags: [{ tag: "blue", revision: "rev-3" }],
      before: [{ revision: "rev-3", weight: 100 }],
      shadow: null,
      rollout: null,
    });
    expect(await counted(headrace, 100)).toEqual({ "200 v1 v1": 40, "200 v2 v2": 60 });
    expect(await at(headrace, "blue---x")).toBe("v3 v3");
    await world.run("rollback", "api");
    expect(await counted(headrace, 10)).toEqual({ "200 v3 v3": 10 });
    expect(await world.deploy("v4")).toBe("api serves rev-4.\n");
  });

  test("has references to secrets, never their values, and is for its user only", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    const [revision] = await world.api<RevisionReport[]>(headrace, "revisions");
    expect(revision).toMatchObject({
      ...{ secrets: { KEY: "secret:env/API_KEY" }, app: "app.py", madeBy: "start", env: ["PLAIN"] },
      options: { concurrency: 80, interface: "auto", scaling: null },
    });
    expect(JSON.stringify(revision)).not.toContain('"word"');
    expect(revision!.code).toMatch(/^[0-9a-f]{64}$/);
    const files = [...new Bun.Glob("**/*").scanSync({ cwd: world.env["XDG_STATE_HOME"]!, dot: true })];
    expect(files.some((path) => path.endsWith("state.sqlite"))).toBeTrue();
    for (const path of files) {
      const content = readFileSync(join(world.env["XDG_STATE_HOME"]!, path), "latin1");
      expect(content).not.toContain("hunter2");
    }
  });

  test("is one headrace up's at a time: another one leaves it alone, its logs and the admin port, too", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    const logs = () => {
      const names = [...new Bun.Glob("headrace/*/logs/*").scanSync({ cwd: world.env["XDG_STATE_HOME"]! })];
      return names
        .sort()
        .map((name) => [name, readFileSync(join(world.env["XDG_STATE_HOME"]!, name), "utf8")]);
    };
    await eventually("the log to be on the disk", () =>
      logs().some(([, text]) => text!.includes("cli.serving")) ? true : undefined,
    );
    const before = logs();
    const file = readFileSync(world.file, "utf8");
    const ports = { port: await freePort(), adminPort: await freePort() };
    // The same file, so the same state; no port of it is taken.
    writeFileSync(
      world.file,
      file
        .replace(`${world.ports.port} }`, `${ports.port} }`)
        .replace(`${world.ports.adminPort} }`, `${ports.adminPort} }`),
    );
    const second = await command(["up", "-f", world.file], { env: world.env });
    expect([second.status, second.stdout]).toEqual([2, ""]);
    expect(second.stderr).toMatch(
      /^headrace: Another headrace up has the state in .*; or name another folder with --state-dir\.\n$/,
    );
    expect(logs()).toEqual(before);
    expect(await body(headrace)).toBe("v1 v1");
  });

  test("says which revision cannot be restored, and begins anew when it is asked to", async () => {
    const world = await RevisionWorld.make(scratch.path);
    const first = await world.up();
    // What a revision needs besides its code is not kept.
    world.code("v2");
    const app = readFileSync(join(world.folder, "app.py"), "utf8");
    writeFileSync(join(world.folder, "app.py"), `import json\njson.load(open("switch.json"))\n${app}`);
    writeFileSync(join(world.folder, "switch.json"), "1");
    await world.run("deploy", "api");
    await world.run("traffic", "api", "--to", "rev-2=50", "--to", "rev-1=50");
    await first.stop();
    writeFileSync(join(world.folder, "switch.json"), "broken");
    const broken = await world.attempt("up", "-f", world.file);
    expect(broken.status).toBe(3);
    expect(broken.stderr).toMatch(
      /headrace: rev-2 of api cannot be restored: .*JSONDecodeError.*headrace up --fresh/,
    );
    world.code("v3");
    await using headrace = await Headrace.up(world.file, world.ports, world.env, ["--fresh"]);
    expect(await body(headrace)).toBe("v3 v3");
    expect(shares(await world.api<TrafficReport>(headrace, "traffic"))).toEqual(["rev-3 100"]);
  });

  test("does not pass off other code as a revision's", async () => {
    const world = await RevisionWorld.make(scratch.path);
    const first = await world.up();
    await world.deploy("v2");
    await world.deploy("v3");
    await world.run("traffic", "api", "--to", "rev-3=50", "--to", "rev-2=50");
    const codes = join(world.env["XDG_STATE_HOME"]!, "headrace");
    const kept = [...new Bun.Glob("*/code/*/0/app.py").scanSync({ cwd: codes })].map((path) =>
      join(codes, path),
    );
    for (const path of kept) if (readFileSync(path, "utf8").includes('"v1"')) writeFileSync(path, "");
    const message = "rev-1 of api cannot be started: its code is not kept, or not as it was. Deploy it anew.";
    expect(await world.refused("traffic", "api", "--to", "rev-1=100")).toBe(`headrace: ${message}\n`);
    expect(await counted(first, 10)).toEqual({ "200 v2 v2": 5, "200 v3 v3": 5 });
    await first.stop();
    for (const path of kept) if (readFileSync(path, "utf8").includes('"v2"')) rmSync(path);
    const broken = await world.attempt("up", "-f", world.file);
    expect(broken.status).toBe(2);
    expect(broken.stderr).toContain("headrace: rev-2 of api cannot be restored: ");
    expect(broken.stderr).toEndWith("headrace up --fresh begins with what the file says.\n");
  });

  test("gives changed code a new revision with all requests at the next start", async () => {
    const world = await RevisionWorld.make(scratch.path);
    const first = await world.up();
    await first.stop();
    world.code("v2");
    await using headrace = await world.up();
    expect(await body(headrace)).toBe("v2 v2");
    expect(shares(await world.api<TrafficReport>(headrace, "traffic"))).toEqual(["rev-2 100"]);
    expect(await world.run("rollback", "api")).toStartWith("REVISION  SHARE  TAGS\nrev-1      100%\n");
    expect(await body(headrace)).toBe("v1 v1");
  });
});
