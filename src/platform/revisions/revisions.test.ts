import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HeadraceError } from "../../base/errors.ts";
import { newestOf, rolledBack, withRevision, withTargets, withWish } from "./change.ts";
import { codeFolders, forgetCode, isKept, keepCode, sourcesOf } from "./code.ts";
import type { RevisionConfig, RevisionRecord } from "./record.ts";
import { noState, type ServiceState, StateStore } from "./store.ts";
import { all, changedTags, checkedTargets, KEPT, trafficText } from "./traffic.ts";

const scratch = mkdtempSync(join(tmpdir(), "headrace-revisions-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const record = (number: number): RevisionRecord => ({
  number,
  createdAt: number * 1_000,
  config: { app: "main.py" } as RevisionConfig,
  secrets: { KEY: { store: "env", key: "API_KEY" } },
  madeBy: number === 1 ? null : "deploy",
  code: "c".repeat(64),
});

/** A service with so many revisions, the newest of which has everything. */
function serviceOf(count: number): ServiceState {
  let state: ServiceState = noState;
  for (let number = 1; number <= count; number++) state = withRevision(state, record(number));
  return state;
}

describe("shares", () => {
  const known = new Set([1, 2, 3]);

  test("add up to 100, name each revision once, and are sorted", () => {
    const wanted = [
      { revision: 1, weight: 90 },
      { revision: 2, weight: 0 },
      { revision: 3, weight: 10 },
    ];
    expect(trafficText(checkedTargets(wanted, known))).toBe("rev-3 10%, rev-1 90%");
    const bad = (...shares: readonly (readonly [number, number])[]) => {
      const targets = shares.map(([revision, weight]) => ({ revision, weight }));
      return () => checkedTargets(targets, known);
    };
    expect(bad([1, 50], [2, 49])).toThrow("The shares add up to 99%, not 100%.");
    expect(bad([1, 50], [1, 50])).toThrow("rev-1 is named twice.");
    expect(bad([4, 100])).toThrow("There is no rev-4.");
    expect(bad([1, 99.5], [2, 0.5])).toThrow("rev-1=99.5 is no share.");
    expect(bad([1, 110], [2, -10])).toThrow("rev-1=110 is no share.");
  });

  test("come back by a rollback, and go again by another", () => {
    const before = serviceOf(2);
    expect(before.before).toEqual(all(1));
    const split = withTargets(before, [
      { revision: 2, weight: 10 },
      { revision: 1, weight: 90 },
    ]);
    expect(split.before).toEqual(all(2));
    expect(rolledBack(split).traffic.targets).toEqual(all(2));
    expect(rolledBack(rolledBack(split)).traffic).toEqual(split.traffic);
    expect(() => rolledBack(serviceOf(1))).toThrow("There is nothing to go back to");
    // To ask for what is there is no change that could be taken back.
    expect(withWish(before, { targets: [{ revision: "rev-2", weight: 100 }] })).toEqual(before);
  });

  test("of a shadow end with null, with 0, and not by what says nothing of it", () => {
    const shadow = (percent: number) => ({ shadow: { revision: "rev-1", percent } });
    const mirrored = withWish(serviceOf(2), shadow(5));
    expect(withWish(mirrored, {}).traffic.shadow).toEqual({ revision: 1, percent: 5 });
    expect(withWish(mirrored, { shadow: null }).traffic.shadow).toBeNull();
    expect(withWish(mirrored, shadow(0)).traffic.shadow).toBeNull();
    expect(() => withWish(mirrored, shadow(101))).toThrow("is no share");
  });

  test("are known by names of revisions alone", () => {
    expect(() => withWish(serviceOf(1), { targets: [{ revision: "1", weight: 100 }] })).toThrow(
      '"1" is no revision.',
    );
  });
});

test("tags are parts of host names, and lead to revisions that there are", () => {
  const known = new Set([1, 2]);
  const set = (tag: string, revision = 1) =>
    changedTags([{ tag: "old", revision: 2 }], { set: [{ tag, revision }], remove: ["old"] }, known);
  for (const good of ["a", "blue", "v2-beta", `a${"b".repeat(39)}`]) {
    expect(set(good)).toEqual([{ tag: good, revision: 1 }]);
  }
  for (const bad of ["", "-a", "a-", "1a", "A", "a---b", "a.b", `a${"b".repeat(40)}`]) {
    expect(() => set(bad)).toThrow("cannot be a tag");
  }
  expect(() => set("blue", 3)).toThrow("There is no rev-3.");
  expect(() => changedTags([], { set: [], remove: ["x"] }, known)).toThrow('There is no tag "x".');
});

test("the newest revisions are kept, and those that have requests, a tag, or the way back", () => {
  let state = serviceOf(4);
  state = withWish(state, { tags: [{ tag: "old", revision: "rev-1" }] });
  state = withWish(state, {
    targets: [
      { revision: "rev-4", weight: 1 },
      { revision: "rev-2", weight: 99 },
    ],
  });
  for (let number = 5; number < 40; number++)
    state = withRevision(state, record(number), state.traffic.targets);
  const numbers = [...state.revisions.keys()].sort((a, b) => a - b);
  expect(numbers.slice(0, 3)).toEqual([1, 2, 4]);
  expect(numbers.slice(3)).toEqual(Array.from({ length: KEPT }, (_, n) => 40 - KEPT + n));
  expect(newestOf(state)).toBe(39);
});

test("shares that may come back keep their revisions, and others do not come back", () => {
  let state = withTargets(serviceOf(8), all(2));
  const { before } = state;
  for (let number = 9; number < 40; number++) {
    const last = withRevision(state, record(number), state.traffic.targets);
    expect(last.revisions.has(8)).toBe(true);
    state = last;
  }
  // A rollout begins, and what it came from is the way back now.
  expect(withRevision(state, record(40), all(40), before!).revisions.has(8)).toBe(true);
  const forgotten = withRevision(state, record(40), all(40));
  expect(forgotten.revisions.has(8)).toBe(false);
  expect(() => rolledBack({ ...forgotten, before })).toThrow("There is no rev-8.");
});

describe("code", () => {
  const app = join(scratch, "app");
  const codeDir = join(scratch, "state", "code");
  const write = (path: string, text: string) => {
    mkdirSync(join(app, path, ".."), { recursive: true });
    writeFileSync(join(app, path), text);
  };

  test("is what Python files say, wherever the app lies, and nothing else", async () => {
    write("main.py", "a = 1");
    write("shop/__init__.py", "");
    const digest = await keepCode(codeDir, [app]);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    for (const [path, text] of [
      ["data.txt", "x"],
      [".git/hook.py", "x"],
      ["node_modules/x/y.py", "x"],
      ["env/pyvenv.cfg", ""],
      ["env/lib/x.py", "x"],
      ["__pycache__/main.py", "x"],
    ] as const) {
      write(path, text);
    }
    expect(await keepCode(codeDir, [app, join(app, "shop")])).toBe(digest);
    symlinkSync(app, join(scratch, "moved"));
    expect(await keepCode(codeDir, [join(scratch, "moved")])).toBe(digest);
    write("main.py", "a = 2");
    const changed = await keepCode(codeDir, [app]);
    expect(changed).not.toBe(digest);
    write("other.py", "");
    expect(await keepCode(codeDir, [app])).not.toBe(changed);
    const [source] = sourcesOf(codeDir, digest, [app]);
    expect(source!.folder).toBe(app);
    expect(readFileSync(join(source!.kept, "main.py"), "utf8")).toBe("a = 1");
    expect(existsSync(join(source!.kept, "data.txt"))).toBeFalse();
    expect(statSync(join(source!.kept, "main.py")).mode & 0o777).toBe(0o600);
    expect(await isKept(codeDir, digest, [app])).toBeTrue();
    // One file on the disk, however many revisions have it.
    const part = (of: string) => statSync(join(codeDir, of, "0/shop/__init__.py")).ino;
    expect(part(digest)).toBe(part(changed));
    await forgetCode(codeDir, new Set([changed]));
    expect([existsSync(join(codeDir, digest)), existsSync(join(codeDir, changed))]).toEqual([false, true]);
    expect(await isKept(codeDir, digest, [app])).toBeFalse();
    expect(await isKept(codeDir, changed, [app])).toBeTrue();
    // Only what is still of use: main.py as it is now, and the empty file.
    expect(readdirSync(join(codeDir, "files")).length).toBe(2);
    chmodSync(join(codeDir, changed, "0/main.py"), 0o600);
    writeFileSync(join(codeDir, changed, "0/main.py"), "");
    expect(await isKept(codeDir, changed, [app])).toBeFalse();
  });

  test("does not hold what is kept of it, where that lies in the app's folder", async () => {
    const inside = join(app, "state", "code");
    const digest = await keepCode(inside, [app]);
    expect(await keepCode(inside, [app])).toBe(digest);
    rmSync(inside, { recursive: true });
  });

  test("has folders that do not lie in each other", () => {
    expect(codeFolders(["/a/b", "/a", "/ab", "/a/b/c", "/a"])).toEqual(["/a", "/ab"]);
    expect(codeFolders(["/", "/a"])).toEqual(["/"]);
  });
});

describe("the store", () => {
  test("gives back what was saved, after whatever end, to its user only", () => {
    const folder = join(scratch, "store");
    const state = withWish(serviceOf(3), {
      targets: [
        { revision: "rev-3", weight: 1 },
        { revision: "rev-1", weight: 99 },
      ],
      tags: [{ tag: "blue", revision: "rev-2" }],
    });
    const store = StateStore.open(folder);
    expect(store.load()).toEqual(new Map());
    store.save(new Map([["api", state]]));
    store.close();
    const again = StateStore.open(folder);
    expect(again.load()).toEqual(new Map([["api", state]]));
    const fewer = {
      ...state,
      revisions: new Map([[3, record(3)]]),
      traffic: { targets: all(3), tags: [], shadow: null },
    };
    again.save(
      new Map([
        ["api", fewer],
        ["web", serviceOf(1)],
      ]),
    );
    expect(again.load()).toEqual(
      new Map([
        ["api", fewer],
        ["web", serviceOf(1)],
      ]),
    );
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toContain("state.sqlite-wal");
    again.close();
  });

  test("takes over what an earlier version wrote", () => {
    const folder = join(scratch, "earlier");
    const store = StateStore.open(folder);
    store.save(new Map([["api", serviceOf(2)]]));
    store.close();
    const db = new Database(join(folder, "state.sqlite"));
    db.run("ALTER TABLE revisions DROP COLUMN made_by");
    db.run("PRAGMA user_version = 2");
    db.close();
    const again = StateStore.open(folder);
    const revisions = new Map([1, 2].map((n) => [n, { ...record(n), madeBy: null }]));
    expect(again.load()).toEqual(new Map([["api", { ...serviceOf(2), revisions }]]));
    again.close();
  });

  test("is one process's at a time", async () => {
    const folder = join(scratch, "locked");
    const store = StateStore.open(folder);
    const open = `import { StateStore } from "${join(import.meta.dir, "store.ts")}"; StateStore.open(${JSON.stringify(folder)})`;
    const attempt = () => Bun.spawnSync([process.execPath, "-e", open], { stderr: "pipe" });
    const refused = attempt();
    expect(refused.stderr.toString()).toContain("Another headrace up has the state in");
    expect(refused.exitCode).not.toBe(0);
    store.close();
    expect(attempt().exitCode).toBe(0);
  });

  test("says so when it cannot be used, and leaves a file of a later version alone", () => {
    writeFileSync(join(scratch, "file"), "");
    expect(() => StateStore.open(join(scratch, "file", "x"))).toThrow("cannot be used");
    const folder = join(scratch, "garbage");
    mkdirSync(folder);
    writeFileSync(
      join(folder, "state.sqlite"),
      "this is no database, and long enough to be looked at".repeat(40),
    );
    expect(() => StateStore.open(folder)).toThrow("is damaged: file is not a database");
  });

  test("says what is damaged in it, before anything goes by it", () => {
    const saved = (name: string) => {
      const folder = join(scratch, name);
      const store = StateStore.open(folder);
      // Long enough for pages of its own.
      const long = { ...serviceOf(3), revisions: new Map([1, 2, 3].map((n) => [n, wide(n)])) };
      store.save(new Map([["api", long]]));
      store.close();
      return folder;
    };
    const wide = (number: number) => ({ ...record(number), code: "c".repeat(9_000) });
    const refused = (folder: string) => {
      try {
        StateStore.open(folder).load();
        return "";
      } catch (error) {
        const { code, message, hint } = error as HeadraceError;
        return `${code}: ${message} ${hint}`;
      }
    };
    const pages = saved("pages");
    const path = join(pages, "state.sqlite");
    const whole = readFileSync(path);
    writeFileSync(path, Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 0x5a)]));
    expect(refused(pages)).toMatch(
      /^state_unusable: The state in .*pages is damaged: .*\. Move the folder away/,
    );
    const edits = [
      ["UPDATE traffic SET targets = '{\"revision\": 3'", /JSON/],
      ["UPDATE traffic SET targets = '[]'", /the shares of api are none/],
      ["UPDATE traffic SET targets = 'null'", /the shares of api are none/],
      ["UPDATE revisions SET config = '{}' WHERE number = 2", /rev-2 of api has no options/],
      ["DELETE FROM revisions WHERE number = 3", /there is no rev-3 of api/],
      ["INSERT INTO tags VALUES ('api', 'blue', 7)", /there is no rev-7 of api/],
      ["DELETE FROM traffic", /the shares of api are none/],
    ] as const;
    for (const [index, [edit, why]] of edits.entries()) {
      const folder = saved(`edit-${index}`);
      const db = new Database(join(folder, "state.sqlite"));
      db.run(edit);
      db.close();
      const said = refused(folder);
      expect(said).toMatch(why);
      expect(said).toStartWith("state_unusable: ");
    }
  });

  test("says so when the disk does not take any more, and keeps what was there", () => {
    const folder = join(scratch, "full");
    const attempt = (blocks: number, what: string) => {
      const code = `
        import { StateStore, noState } from "${join(import.meta.dir, "store.ts")}";
        import { keepCode } from "${join(import.meta.dir, "code.ts")}";
        try { ${what} } catch (error) { console.log(error.code, error.message, error.hint); }`;
      // A limit for the size of files is what a full disk is, without one.
      const limited = `trap "" XFSZ; ulimit -f ${blocks}; exec "$0" -e "$1"`;
      return Bun.spawnSync(["sh", "-c", limited, process.execPath, code]).stdout.toString();
    };
    const save = (length: number) => `
      const store = StateStore.open(${JSON.stringify(folder)});
      const record = { number: 1, createdAt: 1, config: { app: "x" }, secrets: {}, madeBy: null, code: "c".repeat(${length}) };
      const traffic = { targets: [{ revision: 1, weight: 100 }], tags: [], shadow: null };
      try { store.save(new Map([["s${length}", { ...noState, traffic, revisions: new Map([[1, record]]) }]])); }
      finally { console.log([...store.load().keys()].join()); }`;
    expect(attempt(2_000, save(10))).toBe("s10\n");
    expect(attempt(2_000, save(9_000_000))).toMatch(
      /^s10\nstate_not_written The state in .*full cannot be written: .*\. Make room there/,
    );
    const app = join(scratch, "large");
    mkdirSync(app);
    writeFileSync(join(app, "main.py"), "#".repeat(3_000_000));
    const codeDir = join(folder, "code");
    const keep = `await keepCode(${JSON.stringify(codeDir)}, [${JSON.stringify(app)}])`;
    expect(attempt(2_000, keep)).toStartWith("state_not_written ");
    // What was begun is no load to a disk that is full.
    expect([readdirSync(codeDir), readdirSync(join(codeDir, "files"))]).toEqual([["files"], []]);
    expect(attempt(20_000, keep)).toBe("");
  });
});
