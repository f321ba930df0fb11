import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Journal } from "../testkit.ts";
import { PYTHON_FILES, watchFile, watchFiles } from "./watch.ts";

let dir = "";
let changes = new Journal<string>();
let watcher = { close() {} };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hr-watch-"));
  changes = new Journal();
});

afterEach(() => {
  watcher.close();
  rmSync(dir, { recursive: true, force: true });
});

function start(include: readonly string[] = []): void {
  watcher = watchFiles({ folders: [dir], include: [PYTHON_FILES, ...include] }, (paths) => {
    for (const path of paths) changes.push(path.slice(dir.length + 1));
  });
}

const seen = (name: string) => changes.until((path) => path === name, name);

test("a file that is written, replaced or removed is told", async () => {
  writeFileSync(join(dir, "app.py"), "1");
  start();
  writeFileSync(join(dir, "app.py"), "2");
  await seen("app.py");
  changes = new Journal();
  writeFileSync(join(dir, ".app.py.swap"), "3");
  renameSync(join(dir, ".app.py.swap"), join(dir, "app.py"));
  await seen("app.py");
  changes = new Journal();
  rmSync(join(dir, "app.py"));
  await seen("app.py");
});

test("one file is watched alone, however it is named and written", async () => {
  const path = join(dir, "head[race]*.yaml");
  mkdirSync(join(dir, "deep"));
  let told = Promise.withResolvers<void>();
  let count = 0;
  watcher = watchFile(path, () => {
    count++;
    told.resolve();
  });
  writeFileSync(join(dir, "app.py"), "1");
  writeFileSync(join(dir, "headr.yaml"), "1");
  writeFileSync(join(dir, "deep", "head[race]*.yaml"), "1");
  writeFileSync(path, "1");
  await told.promise;
  told = Promise.withResolvers();
  writeFileSync(join(dir, "draft"), "2");
  renameSync(join(dir, "draft"), path);
  await told.promise;
  expect(count).toBe(2);
});

test("folders made later are watched, with the files that were in them before the watch was on", async () => {
  start();
  mkdirSync(join(dir, "new", "deep"), { recursive: true });
  writeFileSync(join(dir, "new", "deep", "a.py"), "1");
  await seen("new/deep/a.py");
  changes = new Journal();
  writeFileSync(join(dir, "new", "deep", "a.py"), "2");
  await seen("new/deep/a.py");
});

test("a folder that is removed and made again is watched again", async () => {
  mkdirSync(join(dir, "sub"));
  start();
  rmSync(join(dir, "sub"), { recursive: true });
  mkdirSync(join(dir, "sub"));
  writeFileSync(join(dir, "sub", "a.py"), "1");
  await seen("sub/a.py");
  changes = new Journal();
  writeFileSync(join(dir, "sub", "a.py"), "2");
  await seen("sub/a.py");
});

test("other files and ignored folders are not told, included patterns are", async () => {
  for (const name of [".venv", "__pycache__", "node_modules", "templates"]) mkdirSync(join(dir, name));
  start(["*.html", "conf/*.toml"]);
  writeFileSync(join(dir, ".venv", "a.py"), "1");
  writeFileSync(join(dir, "__pycache__", "a.py"), "1");
  writeFileSync(join(dir, "node_modules", "a.py"), "1");
  writeFileSync(join(dir, "notes.txt"), "1");
  mkdirSync(join(dir, "conf"));
  writeFileSync(join(dir, "conf", "x.toml"), "1");
  writeFileSync(join(dir, "templates", "x.html"), "1");
  await Promise.all([seen("conf/x.toml"), seen("templates/x.html")]);
  expect(new Set(changes.entries)).toEqual(new Set(["conf/x.toml", "templates/x.html"]));
});
