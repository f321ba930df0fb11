import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const scratch = mkdtempSync("/tmp/headrace-run-");
afterAll(() => rmSync(scratch, { recursive: true }));

const PROGRAM = `
import { ReleaseStack } from "${join(import.meta.dir, "../base/release.ts")}";
import { makeRunDir } from "${join(import.meta.dir, "common.ts")}";
console.log(makeRunDir(new ReleaseStack()));
setInterval(() => {}, 1000);
`;

/** A process with a run folder. */
async function start(): Promise<{ readonly folder: string; kill(): Promise<void> }> {
  const child = Bun.spawn([process.execPath, "-e", PROGRAM], {
    env: { ...process.env, XDG_RUNTIME_DIR: scratch },
    stdout: "pipe",
  });
  const { value } = await child.stdout.getReader().read();
  return {
    folder: new TextDecoder().decode(value).trim(),
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

test("run folders of those that were killed go with the next start, and no others", async () => {
  const owned = (name: string, owner: object) => {
    const folder = join(scratch, name);
    mkdirSync(folder);
    writeFileSync(join(folder, "owner.json"), JSON.stringify(owner));
    return folder;
  };
  // Of another container, whose processes cannot be seen from here; and what is no run folder.
  const elsewhere = owned("headrace-aaaaaa", { pid: 2_000_000_000, startTicks: 1, namespace: "pid:[1]" });
  const foreign = join(scratch, "headrace-bbbbbb");
  mkdirSync(foreign);
  const killed = await start();
  const lives = await start();
  try {
    await killed.kill();
    expect(existsSync(killed.folder)).toBe(true);
    const next = await start();
    expect(readdirSync(scratch).sort()).toEqual(
      [elsewhere, foreign, lives.folder, next.folder].map((path) => path.slice(scratch.length + 1)).sort(),
    );
    await next.kill();
  } finally {
    await lives.kill();
  }
});
