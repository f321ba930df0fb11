import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataClient } from "./testdata.ts";
import { asgiApp, Kit, options } from "./testkit.ts";

test(
  "a reload swaps generations: the new one serves before the old one leaves, and old requests finish",
  async () => {
    await using kit = new Kit(asgiApp, { instances: 2 });
    await kit.pool.start();
    const old = kit.routes.map(({ id }) => id);
    const { row, socket } = kit.routes[0]!;
    const gate = join(kit.dir, "gate");
    const client = await DataClient.connect(socket);
    kit.rows.get(row)!.inFlight = 1;
    const answer = client.get(`/wait?${gate}`);
    await kit.lines.until(({ line }) => line === "waiting");
    await kit.pool.reload();
    const lists = kit.published.entries.map((routes) => routes.map(({ generation }) => generation).join());
    expect(lists.slice(-2)).toEqual(["1,1,2,2", "2,2"]);
    expect(kit.pool.status.generation).toBe(2);
    writeFileSync(gate, "");
    expect(await answer).toMatchObject({ status: 200, ended: "done" });
    kit.rows.get(row)!.inFlight = 0;
    for (const id of old) await kit.event("state", ({ instance, to }) => instance === id && to === "stopped");
    expect(kit.count("drain-over")).toBe(0);
  },
  options,
);

test(
  "a reload that fails changes nothing, and says why",
  async () => {
    await using kit = new Kit(asgiApp, { instances: 2 });
    await kit.pool.start();
    const before = kit.routes;
    kit.write("app.py", "this is no Python\n");
    await expect(kit.pool.reload()).rejects.toMatchObject({ code: "app_import_failed" });
    const { failure } = await kit.event("reload-failed");
    expect(failure.traceback).toContain("SyntaxError");
    expect(kit.routes).toEqual(before);
    expect(kit.pool.status).toMatchObject({ ready: true, generation: 1 });
    kit.write("app.py", asgiApp);
    await kit.pool.reload();
    expect(kit.routes.every(({ generation }) => generation === 3)).toBe(true);
  },
  options,
);

test(
  "reloads that come while one runs become one more reload",
  async () => {
    await using kit = new Kit(asgiApp);
    await kit.pool.start();
    await Promise.all([kit.pool.reload(), kit.pool.reload(), kit.pool.reload()]);
    expect(kit.count("reload-done")).toBe(1);
    const first = kit.pool.reload();
    await kit.event("reload-started", ({ generation }) => generation === 3);
    await Promise.all([first, kit.pool.reload(), kit.pool.reload()]);
    expect(kit.count("reload-done")).toBe(3);
  },
  options,
);

test(
  "with kept imports a reload forks from the same zygote, and runs the changed source",
  async () => {
    await using kit = new Kit(asgiApp, { preload: "auto", keepImports: true });
    await kit.pool.start();
    expect(kit.pool.status.preload.level).toBe("imports");
    kit.write("app.py", asgiApp.replace("str(os.getpid()).encode()", 'b"changed"'));
    await kit.pool.reload({ appOnly: true });
    expect(kit.count("preload")).toBe(1);
    const client = await DataClient.connect(kit.routes[0]!.socket);
    expect(await client.get("/")).toMatchObject({ body: "changed" });
    client.close();
  },
  options,
);

test(
  "with kept imports a reload of everything imports the dependencies anew, also when it joins one of the app alone",
  async () => {
    const home = mkdtempSync(join(tmpdir(), "hr-packages-"));
    using _ = { [Symbol.dispose]: () => rmSync(home, { recursive: true }) };
    const packages = join(home, "site-packages");
    mkdirSync(packages);
    const release = (version: string) =>
      writeFileSync(join(packages, "dependency.py"), `version = "${version}"\n`);
    release("one");
    const source = `import dependency\n${asgiApp.replace("str(os.getpid())", "dependency.version")}`;
    // Files that are changed within a second: Python would take the kept bytecode of the first.
    const env = { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1" };
    await using kit = new Kit(source, { preload: "auto", keepImports: true, env });
    await kit.pool.start();
    expect(kit.pool.status.preload.level).toBe("imports");
    const version = async () => {
      const client = await DataClient.connect(kit.routes[0]!.socket);
      const { body } = await client.get("/");
      client.close();
      return body;
    };
    release("two");
    await kit.pool.reload({ appOnly: true });
    expect(await version()).toBe("one");
    await Promise.all([kit.pool.reload({ appOnly: true }), kit.pool.reload()]);
    expect(await version()).toBe("two");
  },
  options,
);
