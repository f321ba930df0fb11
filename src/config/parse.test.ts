import { describe, expect, test } from "bun:test";
import { choice, duration, integer, integerOrAuto, list, ownVariable, size, text, toggle } from "./option.ts";
import { runOptions } from "./options.ts";
import { type Environment, parse } from "./parse.ts";

const basics = { group: "G", doc: "D." };
const table = {
  name: text({ ...basics, flag: "name", placeholder: "NAME" }),
  port: integer({
    ...basics,
    flag: "port",
    short: "p",
    env: ["PORT", "OLD_PORT"],
    min: 0,
    max: 65_535,
    fallback: 8080,
  }),
  depth: integerOrAuto({ ...basics, flag: "line-depth", min: 0, max: 100 }),
  wait: duration({ ...basics, flag: "wait", min: "1ms", fallback: "10s" }),
  max: size({ ...basics, flag: "max", min: "1KiB", zero: true, fallback: "1MiB" }),
  kind: choice({ ...basics, flag: "kind", choices: ["auto", "asgi"], fallback: "auto" }),
  fast: toggle({ ...basics, flag: "fast", fallback: true }),
  tags: list({ ...basics, flag: "tag", placeholder: "TAG", fallback: ["none"] }),
  pairs: list({ ...basics, flag: "pair", placeholder: "K=V", commas: false }),
};

const read = (argv: string[], env: Environment = {}) => parse(table, argv, env);

/** What is wrong, as one line each. */
const wrong = (argv: string[], env: Environment = {}) =>
  read(argv, env).problems.map(({ subject, message, instead }) => `${subject}: ${message} ${instead}`);

describe("flags", () => {
  test("defaults stand where nothing is given", () => {
    const { values, origins, positionals, problems } = read([]);
    expect(values).toEqual({
      name: "",
      port: 8080,
      depth: "auto",
      wait: 10_000,
      max: 1_048_576,
      kind: "auto",
      fast: true,
      tags: ["none"],
      pairs: [],
    });
    expect([Object.values(origins).join(""), positionals, problems]).toEqual(["", [], []]);
  });

  test("a value follows, or is attached", () => {
    for (const argv of [["--port", "9"], ["--port=9"], ["-p", "9"], ["-p=9"], ["-p9"]]) {
      expect([argv, read(argv).values.port, read(argv).problems]).toEqual([argv, 9, []]);
    }
    expect(read(["--name=a=b"]).values.name).toBe("a=b");
    expect(read(["--name="]).problems.length).toBe(1);
  });

  test("toggles are switched on, off, and by word", () => {
    const cases: [string[], boolean][] = [
      [["--fast"], true],
      [["--no-fast"], false],
      [["--fast=off"], false],
      [["--fast=YES"], true],
      [["--no-fast", "--fast"], true],
    ];
    for (const [argv, value] of cases) expect([argv, read(argv).values.fast]).toEqual([argv, value]);
    expect(read(["--fast", "main.py"]).positionals).toEqual(["main.py"]);
  });

  test("the last of several counts, lists collect and replace the default", () => {
    expect(read(["-p", "1", "--port", "2"]).values.port).toBe(2);
    expect(read(["--tag", "a,b", "--tag=c"]).values.tags).toEqual(["a", "b", "c"]);
    expect(read(["--pair", "a=1,2", "--pair", "b=3"]).values.pairs).toEqual(["a=1,2", "b=3"]);
  });

  test("positionals stand anywhere, and -- ends the flags", () => {
    expect(read(["main.py", "-p", "1", "other"]).positionals).toEqual(["main.py", "other"]);
    expect(read(["--", "--port", "-x"]).positionals).toEqual(["--port", "-x"]);
    expect(read(["-p", "1", "--help"]).help).toBe(true);
  });
});

describe("environment", () => {
  test("every option has a variable of its own, which a flag overrides", () => {
    expect(ownVariable("line-depth")).toBe("HEADRACE_LINE_DEPTH");
    expect(read([], { HEADRACE_LINE_DEPTH: "7" }).values.depth).toBe(7);
    const both = read(["--line-depth", "3"], { HEADRACE_LINE_DEPTH: "7" });
    expect([both.values.depth, both.origins.depth]).toEqual([3, "--line-depth"]);
  });

  test("its own variable is stronger than shared ones, earlier ones than later ones; empty ones are not there", () => {
    expect(read([], { HEADRACE_PORT: "1", PORT: "2", OLD_PORT: "3" }).values.port).toBe(1);
    expect(read([], { HEADRACE_PORT: "", PORT: "2", OLD_PORT: "3" }).values.port).toBe(2);
    const old = read([], { PORT: "", OLD_PORT: "3" });
    expect([old.values.port, old.origins.port]).toEqual([3, "$OLD_PORT"]);
  });

  test("a value that is overridden is not read, so it cannot be wrong", () => {
    expect(wrong(["-p", "1"], { PORT: "abc" })).toEqual([]);
    expect(wrong(["-p", "x"], { PORT: "abc" }).length).toBe(1);
  });

  test("toggles and lists are read from text", () => {
    expect(read([], { HEADRACE_FAST: "0", HEADRACE_TAG: "a, b" }).values).toMatchObject({
      fast: false,
      tags: ["a", "b"],
    });
    expect(wrong([], { HEADRACE_FAST: "maybe" })).toEqual([
      '$HEADRACE_FAST: "maybe" cannot be used. Write on or off.',
    ]);
  });

  test("a variable that looks like ours but is not is noticed, others are not", () => {
    const { notices, problems } = read([], {
      HEADRACE_PROT: "1",
      HEADRACE_SOMETHING_ELSE: "1",
      HEADRACE_PORT: "1",
    });
    expect(problems).toEqual([]);
    expect(notices.map(({ subject, instead }) => [subject, instead])).toEqual([
      ["$HEADRACE_PROT", "Did you mean $HEADRACE_PORT?"],
    ]);
  });
});

describe("problems", () => {
  test("are found all at once", () => {
    expect(wrong(["--prot", "1", "--wait", "soon", "--kind", "wsgi", "-p"])).toEqual([
      "--prot: There is no such flag. Write --port.",
      '--wait: "soon" cannot be used. Write a duration, such as 30s, 500ms or 5m (a bare number is seconds).',
      '--kind: "wsgi" cannot be used. Write auto or asgi.',
      "-p: It needs a value. Write -p N.",
    ]);
  });

  test("say what would have been right", () => {
    const cases: [string[], string][] = [
      [["--port", "70000"], '--port: "70000" cannot be used. Write a whole number from 0 to 65535.'],
      [["--port", "-1"], '--port: "-1" cannot be used. Write a whole number from 0 to 65535.'],
      [["--port", "1.5"], '--port: "1.5" cannot be used. Write a whole number from 0 to 65535.'],
      [
        ["--line-depth", "many"],
        '--line-depth: "many" cannot be used. Write a whole number from 0 to 100, or auto.',
      ],
      [["--wait", "0"], '--wait: "0" cannot be used. Write a duration of at least 1ms.'],
      [["--wait", "60d"], '--wait: "60d" cannot be used. Write a duration of at most 24 days.'],
      [["--max", "100"], '--max: "100" cannot be used. Write a size of at least 1KiB.'],
      [
        ["--max", "big"],
        '--max: "big" cannot be used. Write a size, such as 64KiB, 16Mi or 1GB (a bare number is bytes).',
      ],
      [["--no-fast=1"], "--no-fast: It takes no value. Write --no-fast alone."],
      [["--name", "--fast"], "--name: It needs a value. Write --name NAME."],
      [["--tag", "a,,b"], '--tag: "a,,b" cannot be used. Write a text that is not empty.'],
      [["-x"], "-x: There is no such flag. See --help."],
    ];
    for (const [argv, line] of cases) expect(wrong(argv)).toEqual([line]);
    expect(wrong(["--max", "0"])).toEqual([]);
  });
});

describe("unknown flags", () => {
  const suggestion = (argv: string[]) => parse(runOptions, argv, {}).problems.map(({ instead }) => instead);

  test("slips of the finger find their flag", () => {
    expect(suggestion(["--prot", "1"])).toEqual(["Write --port."]);
    expect(suggestion(["--concurency", "1"])).toEqual(["Write --concurrency."]);
    expect(suggestion(["--no-htp2"])).toEqual(["Write --no-http2."]);
    expect(suggestion(["--hepl"])).toEqual(["Write --help."]);
    expect(suggestion(["--zzzzzzzz"])).toEqual(["See --help."]);
  });

  test("flags of other servers find theirs", () => {
    const cases = [
      ["--workers", "Write --instances."],
      ["-w", "Write --instances."],
      ["--ssl-certfile", "Write --tls-cert."],
      ["--forwarded-allow-ips", "Write --trusted-proxies."],
      ["--graceful-timeout", "Write --drain-timeout."],
      ["--bind", "Write --host and --port."],
    ];
    for (const [flag, instead] of cases)
      expect([flag, ...suggestion([flag!, "4"])]).toEqual([flag!, instead!]);
  });

  test("their value is not taken for the app, but an app after them is", () => {
    expect(parse(runOptions, ["--workers", "4", "main.py"], {}).positionals).toEqual(["main.py"]);
    expect(parse(runOptions, ["--quick", "main.py"], {}).positionals).toEqual(["main.py"]);
    expect(parse(runOptions, ["--quick", "shop:app"], {}).positionals).toEqual(["shop:app"]);
  });
});
