/** `headrace doctor` on the examples and on an app that does everything wrong; `headrace run` comes to the same level. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DoctorReport } from "../../src/model/doctor.ts";
import { command, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const linux = process.platform === "linux";

async function examined(...args: string[]): Promise<DoctorReport> {
  const done = await command(["doctor", ...args, "--python", PYTHON, "--json"]);
  expect([done.status, done.stderr]).toEqual([0, ""]);
  return JSON.parse(done.stdout) as DoctorReport;
}

test("the examples are safe to fork, and the doctor says what they import", async () => {
  const shop = await examined("examples/fastapi/main.py");
  expect(shop).toMatchObject({ name: "main:app", interface: "asgi", findings: [] });
  expect(shop.preload).toMatchObject(linux ? { level: "app", reasons: [] } : { level: "off" });
  const packages = shop.packages.map(({ name }) => name);
  for (const name of ["fastapi", "pydantic", "starlette", "standard library", "main"])
    expect(packages).toContain(name);
  expect(shop.imports.children.map(({ name }) => name)).toContain("fastapi");

  const notes = await examined("website.wsgi:application", "--app-dir", "examples/django");
  expect(notes).toMatchObject({ name: "website.wsgi:application", interface: "wsgi", findings: [] });
  const kinds = new Map(notes.packages.map(({ name, kind }) => [name, kind]));
  expect([kinds.get("django"), kinds.get("website")]).toEqual(["installed", "app"]);
});

test.skipIf(!linux)(
  "an app that connects, starts a thread and makes a loop at import is told so",
  async () => {
    const done = await command(["doctor", "test/apps/unsafe.py", "--python", PYTHON]);
    expect([done.status, done.stderr]).toEqual([0, ""]);
    const text = done.stdout.replaceAll(/\s+/g, " ");
    expect(text).toContain("Preload imports: ");
    expect(text).toContain("thread unsafe the Python thread metrics-flusher runs");
    expect(text).toContain("loop unsafe the event loop ");
    expect(text).toMatch(/socket unsafe a socket is open: connected to 127\.0\.0\.1:\d+/);
    expect(text).toContain(
      "Start it in the app's lifespan, or in a function registered with @headrace.after_fork",
    );
    expect(Math.max(...done.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    await using headrace = await Headrace.start("test/apps/unsafe.py");
    expect((await headrace.status()).preload.level).toBe("imports");
  },
);

test("its exit code says whether the app could be imported", async () => {
  using folder = scratchFolder();
  const app = join(folder.path, "main.py");
  writeFileSync(app, "import not_installed_anywhere\n");
  const broken = await command(["doctor", app, "--python", PYTHON]);
  expect([broken.status, broken.stdout]).toEqual([3, ""]);
  expect(broken.stderr).toContain("Traceback (most recent call last)");
  expect(broken.stderr).toContain("No module named 'not_installed_anywhere'");
  expect(broken.stderr).not.toContain("doctor.py");
  expect((await command(["doctor", join(folder.path, "other.py")])).status).toBe(2);
  expect((await command(["doctor", app, "--jsn"])).status).toBe(2);
});
