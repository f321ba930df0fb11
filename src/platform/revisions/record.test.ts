import { expect, test } from "bun:test";
import type { ServiceConfig } from "../../config/file/config.ts";
import { application } from "../../config/file/keys.ts";
import type { Shape } from "../../config/file/shape.ts";
import { type RunOptionName, runOptions } from "../../config/options.ts";
import { parse } from "../../config/parse.ts";
import { type Files, resolve } from "../../config/resolve.ts";
import type { RunConfig } from "../../config/run-config.ts";
import { isUnchanged, type RevisionRecord, revisionConfig, sharedOptions } from "./record.ts";

/** The options of `headrace run` that keys of the file set. */
function optionsOf(shape: Shape): readonly RunOptionName[] {
  if (shape.kind === "value") return shape.run === null ? [] : [shape.run];
  if (shape.kind === "table") return optionsOf(shape.each);
  if (shape.kind === "list") return optionsOf(shape.item);
  return Object.values(shape.keys).flatMap((key) => optionsOf(key.shape));
}

const { services, ...others } = application.keys;
const ofAll = optionsOf({ kind: "map", keys: others });
const ofOne = optionsOf(services!.shape);

const FACTS = { cwd: "/", cores: 4, sharesPorts: true, stdoutIsTerminal: false, stderrIsTerminal: false };
const FILES: Files = { env: {}, tlsCert: "", tlsKey: "", appInDir: false };

/** What some option or other takes, and has not by itself. */
const TEXTS =
  "7 9000 48MiB off on text debug imports gevent asyncio wsgi http /x x 127.0.0.2 10.0.0.0/8 0.0.0.0:9999 /x=bulk 50%".split(
    " ",
  );

function configOf(...flags: readonly string[]): RunConfig {
  const parsed = parse(runOptions, ["main.py", ...flags], {});
  const files = {
    ...FILES,
    tlsCert: parsed.values.tlsCert,
    tlsKey: parsed.values.tlsKey,
    env: Object.fromEntries(parsed.values.envFile.map((path) => [path, ""])),
  };
  const resolved = resolve(parsed, "main.py", files, FACTS);
  if (parsed.problems.length > 0 || !resolved.ok)
    throw new Error(JSON.stringify([parsed.problems, resolved]));
  return resolved.config;
}

/** Flags that say something else than the default. */
function flagsFor(name: RunOptionName): readonly string[] {
  const { flag, kind, fallback, read } = runOptions[name];
  if (name === "tlsCert" || name === "tlsKey") return ["--tls-cert", "/x", "--tls-key", `/${name}`];
  if (kind === "toggle") return [fallback ? `--no-${flag}` : `--${flag}`];
  const text = TEXTS.find((each) => {
    const reading = read(each);
    return reading.ok && !Bun.deepEquals(reading.value, fallback);
  });
  if (text === undefined) throw new Error(`no text for --${flag}: add one`);
  return [`--${flag}`, text];
}

const plain = configOf();
const service = (run: RunConfig): ServiceConfig => ({
  ...{ name: "api", run, routes: [], secrets: {}, splitBy: null },
});

const first = {
  number: 1,
  createdAt: 0,
  config: revisionConfig(service(plain)),
  secrets: {},
  code: "",
  madeBy: null,
};

test("what is not said of a service is no revision's: a change of it is no new revision", () => {
  expect(ofAll.length).toBeGreaterThan(25);
  for (const name of ofAll) {
    const changed = configOf(...flagsFor(name));
    expect([name, Bun.deepEquals(sharedOptions(changed), sharedOptions(plain))]).toEqual([name, false]);
    expect([name, isUnchanged(first, service(changed))]).toEqual([name, true]);
  }
});

test("what is said of a service is its revision's", () => {
  // No key of a service sets what all share.
  expect(ofOne.filter((name) => ofAll.includes(name))).toEqual([]);
  for (const name of ["concurrency", "timeout", "drainTimeout", "healthPath", "instances"] as const) {
    const changed = configOf(...flagsFor(name));
    expect([name, Bun.deepEquals(sharedOptions(changed), sharedOptions(plain))]).toEqual([name, true]);
    expect([
      name,
      isUnchanged({ ...first, config: revisionConfig(service(changed)) }, service(plain)),
    ]).toEqual([name, false]);
  }
});

test("a record that was written when an option was not shared yet is the same without it", () => {
  const record = { ...first, config: { ...first.config, logKeep: 1 } } as RevisionRecord;
  expect(isUnchanged(record, service(plain))).toBe(true);
  expect(isUnchanged(record, service(configOf("--concurrency", "9")))).toBe(false);
});
