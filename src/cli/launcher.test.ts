import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "../model/version.ts";

const LAUNCHER = join(import.meta.dir, "../../headrace");

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "headrace-launcher-")));
});

afterEach(() => rmSync(folder, { recursive: true }));

function launch(program: string, ...args: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([program, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"]! },
  });
  return { out: stdout.toString(), err: stderr.toString(), exitCode };
}

test("works from any folder, through symbolic links of both kinds", () => {
  mkdirSync(join(folder, "bin"));
  symlinkSync(LAUNCHER, join(folder, "absolute"));
  symlinkSync("../absolute", join(folder, "bin", "relative"));
  for (const program of [LAUNCHER, "./absolute", "bin/relative"]) {
    const { out, err, exitCode } = launch(program, "version");
    expect([program, out.split(" ").slice(0, 2).join(" "), err, exitCode]).toEqual([
      program,
      `headrace ${VERSION}`,
      "",
      0,
    ]);
  }
});

test("reads nothing of the folder that the user stands in", () => {
  writeFileSync(join(folder, ".env"), "HEADRACE_PORT=from-dotenv\n");
  writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
  writeFileSync(join(folder, "evil.ts"), 'process.stdout.write("EVIL");');
  writeFileSync(join(folder, "package.json"), '{"scripts": {"version": "echo EVIL"}}');
  expect(launch(LAUNCHER, "version").out).toStartWith("headrace ");
  const { err, exitCode } = launch(LAUNCHER, "run", "nope.py");
  expect([exitCode, err.includes("nope.py"), err.includes("HEADRACE_PORT")]).toEqual([2, true, false]);
});

test("says what to do when Bun is missing, or only npm's stub of it is there", () => {
  const program = join(folder, "headrace");
  copyFileSync(LAUNCHER, program);
  const missing = {
    out: "",
    err: `headrace: Bun is not installed in ${folder}/node_modules. Run: make -C ${folder} install\n`,
    exitCode: 2,
  };
  expect(launch(program, "version")).toEqual(missing);
  const stub = join(folder, "node_modules", "bun", "bin", "bun.exe");
  mkdirSync(join(stub, ".."), { recursive: true });
  writeFileSync(stub, "#!/bin/sh\necho stub\n");
  chmodSync(stub, 0o755);
  expect(launch(program, "version")).toEqual(missing);
});
