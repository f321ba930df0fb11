/** Files that cannot be run, and processes that end. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { forShard, scenarioKind, spawnPython } from "./python.ts";
import { CLASS, folder, PATIENCE_MS, PYTHON, planOf, run, write } from "./python-testkit.ts";

setDefaultTimeout(PATIENCE_MS);

describe("files that cannot be run", () => {
  const failing = async (source: string) => {
    const { failed, ticks, whole } = await run({ source });
    expect([ticks.length, whole]).toEqual([0, false]);
    return failed ?? "";
  };

  test("a syntax error is shown as Python shows it", async () => {
    const text = await failing("async def scenario(user):\n    return 1 +\n");
    expect(text).toMatch(/scenario_\d+\.py", line 2/);
    expect(text).toContain("return 1 +");
    expect(text).toContain("SyntaxError");
    expect(text).not.toContain("loading.py");
  });

  test("an exception while it is imported", async () => {
    const text = await failing("import no_such_module_here\n");
    expect(text).toContain("ModuleNotFoundError: No module named 'no_such_module_here'");
  });

  test("an end while it is imported", async () => {
    expect(await failing("import sys\nsys.exit('not today')\n")).toContain("SystemExit: not today");
  });

  for (const [name, source, said] of [
    ["nobody", "x = 1", "has neither a class derived from User nor a function"],
    ["a plain function", "def scenario(user): pass", "has to be `async def scenario(user)`"],
    ["no task", `${CLASS}\nclass Idle(User):\n    pass`, "Idle has no task"],
    [
      "a plain task",
      `${CLASS}\nclass Bad(User):\n    @task\n    def go(self): pass`,
      "Bad.go has to be `async def`",
    ],
  ] as const)
    test(name, async () => expect(await failing(source)).toContain(said));

  test("a process that dies before it is ready", async () => {
    const { failed, whole } = await run({ source: "import os\nprint('last words')\nos._exit(7)\n" });
    expect(whole).toBe(false);
    expect(failed).toBe("The Python process ended before it was ready: exit code 7.\nlast words");
  });

  test("a process that dies in the middle", async () => {
    const { failed, notes, whole } = await run({
      source: "import os\nasync def scenario(user):\n    os._exit(7)\n",
    });
    expect([whole, failed]).toEqual([false, undefined]);
    expect(notes).toContain("A Python process ended before its time: exit code 7.");
  });

  test("an interpreter that is not there", () => {
    expect(() => spawnPython({ python: join(folder, "python"), cwd: folder, env: {} })).toThrow();
  });
});

test("what a scenario prints is passed on, also from a file beside it", async () => {
  write("word = 'from beside'\n", "beside_the_scenario.py");
  const { notes, sum } = await run({
    source: `
import sys
from beside_the_scenario import word
from headrace.load import StopUser
print("printed", word)
print('{"type":"done"}')
async def scenario(user):
    with user.measure("own") as own:
        own.status(204)
    print("to stderr", file=sys.stderr)
    raise StopUser
`,
    wish: { users: 1 },
  });
  expect(notes).toEqual(["printed from beside", '{"type":"done"}', "to stderr"]);
  expect(sum.statuses).toEqual({ 204: 1 });
});

test("a process ends when its parent does, even in the middle of a task that never waits", async () => {
  const file = write("import time\nasync def scenario(user):\n    print('busy')\n    time.sleep(3600)\n");
  const main = join(import.meta.dir, "../../python/headrace/load/__main__.py");
  const child = Bun.spawn([PYTHON, main], { stdio: ["pipe", "ignore", "pipe"] });
  try {
    child.stdin.write(`${JSON.stringify({ type: "plan", plan: forShard(planOf(file, {}), 0, 1) })}\n`);
    child.stdin.write(`${JSON.stringify({ type: "go", at: Date.now() })}\n`);
    await child.stdin.flush();
    const { value } = await child.stderr.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("busy");
    await child.stdin.end();
    expect(await child.exited).toBe(1);
  } finally {
    child.kill("SIGKILL");
  }
});

test("the kind of a file is seen from what it imports", () => {
  expect(scenarioKind(write("from locust import HttpUser\n"))).toBe("locust");
  expect(scenarioKind(write("# from locust import HttpUser\nasync def scenario(user): ...\n"))).toBe(
    "scenario",
  );
  expect(scenarioKind(write("from headrace.load import User\nimport locust_words\n"))).toBe("scenario");
  expect(scenarioKind(write("from common import Shopper\n", "locustfile_shop.py"))).toBe("locust");
});
