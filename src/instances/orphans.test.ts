import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive, options, untilGone } from "./testkit.ts";

/** A supervisor of its own: starts a pool and prints its processes. */
const supervisor = (preload: string) => `
  import { asgiApp, Kit } from ${JSON.stringify(join(import.meta.dir, "testkit.ts"))};
  const source = "import os\\nprint('made in', os.getpid(), flush=True)\\n" + asgiApp;
  const kit = new Kit(source, { instances: 2, preload: ${JSON.stringify(preload)} });
  await kit.pool.start();
  const pids = (await kit.pool.report()).map((part) => part.pid);
  const made = kit.lines.entries.filter((each) => each.line.startsWith("made in")).map((each) => Number(each.line.slice(8)));
  process.stdout.write(JSON.stringify({ dir: kit.dir, pids: [...new Set([...pids, ...made])] }) + "\\n");
`;

const levels = process.platform === "linux" ? ["off", "imports", "app"] : ["off"];
for (const preload of levels) {
  test(
    `no process outlives a supervisor that was killed (preload ${preload})`,
    async () => {
      const child = Bun.spawn([process.execPath, "-e", supervisor(preload)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let text = "";
      for await (const chunk of child.stdout) {
        text += Buffer.from(chunk).toString();
        if (text.includes("\n")) break;
      }
      const { dir, pids } = JSON.parse(text) as { dir: string; pids: number[] };
      try {
        // The zygote of level app shows itself by where the import ran.
        expect(pids.length).toBe(preload === "app" ? 3 : 2);
        expect(pids.every(isAlive)).toBe(true);
        child.kill("SIGKILL");
        await child.exited;
        for (const pid of pids) await untilGone(pid);
      } finally {
        child.kill("SIGKILL");
        rmSync(dir, { recursive: true, force: true });
      }
    },
    options,
  );
}
