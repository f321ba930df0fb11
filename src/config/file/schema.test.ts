/** The JSON Schema, for editors, and `headrace check` take the same files. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { JsonSchema } from "../option.ts";
import { readFile } from "./load.ts";
import { jsonSchema } from "./schema.ts";
import { FILE, facts, folder } from "./testing.ts";

writeFileSync(join(folder, "some.env"), "");

const schema = jsonSchema();

function checkTakes(source: string): boolean {
  return readFile(source, FILE, { SET: "5s" }, facts).ok;
}

function schemaTakes(source: string): boolean {
  // As the servers of editors read YAML.
  return takes(schema, parse(source, { version: "1.2" }));
}

type Keyword = (wanted: never, value: unknown, around: JsonSchema) => boolean;

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The keywords of draft 2020-12 that the schema has; another one is a mistake of this test. */
const KEYWORDS: Readonly<Record<string, Keyword>> = {
  $schema: () => true,
  title: () => true,
  description: () => true,
  default: () => true,
  type: (wanted: string | readonly string[], value) => [wanted].flat().some((type) => isOf(type, value)),
  enum: (wanted: readonly unknown[], value) => wanted.includes(value),
  const: (wanted: unknown, value) => wanted === value,
  anyOf: (wanted: readonly JsonSchema[], value) => wanted.some((one) => takes(one, value)),
  oneOf: (wanted: readonly JsonSchema[], value) => wanted.filter((one) => takes(one, value)).length === 1,
  minimum: (wanted: number, value) => typeof value !== "number" || value >= wanted,
  maximum: (wanted: number, value) => typeof value !== "number" || value <= wanted,
  exclusiveMaximum: (wanted: number, value) => typeof value !== "number" || value < wanted,
  minLength: (wanted: number, value) => typeof value !== "string" || value.length >= wanted,
  pattern: (wanted: string, value) => typeof value !== "string" || new RegExp(wanted, "u").test(value),
  items: (wanted: JsonSchema, value) => !Array.isArray(value) || value.every((item) => takes(wanted, item)),
  required: (wanted: readonly string[], value) => !isMap(value) || wanted.every((key) => key in value),
  minProperties: (wanted: number, value) => !isMap(value) || Object.keys(value).length >= wanted,
  propertyNames: (wanted: JsonSchema, value) =>
    !isMap(value) || Object.keys(value).every((key) => takes(wanted, key)),
  properties: (wanted: Readonly<Record<string, JsonSchema>>, value) =>
    !isMap(value) ||
    Object.entries(wanted).every(([key, one]) => !Object.hasOwn(value, key) || takes(one, value[key])),
  patternProperties: (wanted: Readonly<Record<string, JsonSchema>>, value) =>
    !isMap(value) || named(wanted, value).every(([one, inner]) => takes(one, inner)),
  additionalProperties: (wanted: JsonSchema | boolean, value, { properties, patternProperties }) => {
    if (!isMap(value)) return true;
    const known = new Set(Object.keys((properties as JsonSchema) ?? {}));
    const patterns = Object.keys((patternProperties as JsonSchema) ?? {}).map((one) => new RegExp(one, "u"));
    const more = Object.entries(value).filter(
      ([key]) => !known.has(key) && !patterns.some((one) => one.test(key)),
    );
    return more.every(([, inner]) => (typeof wanted === "boolean" ? wanted : takes(wanted, inner)));
  },
};

function named(patterns: Readonly<Record<string, JsonSchema>>, value: Record<string, unknown>) {
  return Object.entries(patterns).flatMap(([pattern, one]) =>
    Object.entries(value)
      .filter(([key]) => new RegExp(pattern, "u").test(key))
      .map(([, inner]) => [one, inner] as const),
  );
}

function isOf(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isMap(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

function takes(wanted: JsonSchema, value: unknown): boolean {
  return Object.entries(wanted).every(([keyword, argument]) => {
    const holds = KEYWORDS[keyword];
    if (holds === undefined) throw new Error(`this test does not know ${keyword}`);
    return holds(argument as never, value, wanted);
  });
}

/** Keys of a service that is otherwise right. */
const RIGHT_SERVICES = `
app: main.py:app
envFile: some.env
envFile: [some.env, some.env]
timeout: 30 | timeout: "30" | timeout: 1h30m | timeout: 0.5 | timeout: .5s | timeout: +5s | timeout: 500us | timeout: 0 | timeout: 0s
timeout: "\${SET}" | timeout: "\${GONE:-3s}" | line: { wait: 1ms } | line: { depth: auto } | line: { depth: 0 } | line:
concurrency: 80 | concurrency: "80" | concurrency: auto | instances: 2 | instances: "2"
resources: { cpu: 500m } | resources: { cpu: "0.5" } | resources: { cpu: 0.01 } | resources: { cpu: 1e-1 } | resources: { cpu: .5 }
resources: { memory: 256Mi } | resources: { memory: 129e6 } | resources: { memory: .5Gi } | resources: { memory: 0 } | resources:
resources: { memory: 1Pi } | resources: { memory: 64 MiB } | resources: { memory: 16777216 } | recycle: { memory: 1g, age: 1h }
scale: { min: 0, target: 70% } | scale: { min: 0, target: 70.5 } | scale: { min: 0, target: "100%" } | scale: { max: 3 } | scale:
factory: yes | factory: "yes" | factory: On | factory: 1 | shed: "off" | shed: false | shed: FALSE
env: { A: 1, B: true, C: 1.5, _d: "", E: "x y" } | env: | env: {}
route: | route: [] | route: {} | route: { path: / } | route: { host: shop.test, path: /x } | route: { host: "*.Shop.test" }
route: { methods: get } | route: { methods: "GET, post" } | route: { methods: [PUT, "PATCH"] } | route: { headers: "x-a: b c" }
route: { headers: [x-a, x-b] } | route: { path: /x, strip: true } | route: { path: /x, rewrite: /y } | route: [ { path: /a }, { path: /b } ]
limits: { path: /x, slots: 2 } | limits: [ { slots: 2 } ] | limits: { slots: "2" } | limits: | limits: { method: GET, slots: 1 }
affinity: { header: x } | affinity: { cookie: c, sticky: yes } | affinity: { query: q, balanceFactor: 125% } | split: { header: x }
affinity: { header: x, balanceFactor: 0 } | affinity: { header: x, balanceFactor: 101 } | affinity: { header: x, balanceFactor: "1000" }
priority: /x=bulk | priority: [ /x=bulk, /y=critical ] | priority: "/x=bulk,/y=default" | priorityHeader: x-class
healthPath: /h | healthPath: [ /a, /b ] | healthPath: "/a,/b" | interface: asgi | lifespan: off | lifespan: "on" | rootPath: /x
`;

const WRONG_SERVICES = `
app: | app: [main.py] | concurency: 2
timeout: soon | timeout: -1 | timeout: 0.0001 | timeout: 5 minutes | timeout: true | timeout: [1] | timeout: 2592000
concurrency: 0 | concurrency: many | concurrency: 1.5 | instances: -1 | instances: 0
resources: { cpu: 0 } | resources: { cpu: 0.001 } | resources: { cpu: lots } | resources: { cpu: 1k } | resources: [ 1 ]
resources: { memory: 256m } | resources: { memory: 1 } | resources: { memory: 0.1 } | resources: { memory: -1 } | resources: { memory: 1X }
scale: { min: 0, target: 0.7 } | scale: { min: 0, target: 0% } | scale: { min: 0, target: 101% } | scale: { min: 1, target: 200 }
factory: maybe | factory: 2 | shed: [] | shed:
env: { "a b": x } | env: { A-B: x } | env: { A: } | env: { A: [1] } | env: [A=1] | env: { 1A: x }
route: api | route: { path: x } | route: { path: "/a b" } | route: { path: "/a?b" } | route: { host: "a:80" } | route: { host: "*" }
route: { host: http://x } | route: { methods: PROPFIND } | route: { methods: [GET, PROPFIND] } | route: { methods: "GET,,POST" }
route: { headers: "x a" } | route: { verb: GET } | route: { rewrite: y }
limits: { path: /x } | limits: { slots: 0 } | limits: { slots: 1, path: x } | limits: [1]
affinity: | affinity: {} | affinity: { header: x, cookie: y } | affinity: { header: "a b" } | affinity: { header: x, balanceFactor: 100 }
affinity: { header: x, balanceFactor: 50% } | affinity: { header: x, balanceFactor: 1001 } | split: | split: { header: x, query: y }
priority: nope | priority: [ /x=fast ] | healthPath: h | interface: foo | rootPath: x
`;

const RIGHT_FILES = `
name: shop-2 | listen: { port: 0 } | listen: { port: "80" } | listen: | x-mine: { anything: [1] } | gateways: auto | gateways: "1"
redirects: { path: /x, to: /y } | redirects: { path: /x, to: /y, status: 308 } | redirects: { path: /x, to: /y, status: "301" }
redirects: [ { path: /x, to: "https://a.test/*" } ] | redirects: | logs: { access: off, level: warn } | logs: { keep: 0 }
admin: { listen: "127.0.0.1:9" } | admin: { listen: ["[::1]:9"] } | admin: { enabled: no } | limits: { body: 0 } | limits: { body: 1e9 }
listen: { trustedProxies: "10.0.0.0/8,unix" } | listen: { trustedProxies: "*" } | listen: { http2: off }
`;

const WRONG_FILES = `
name: My Shop | name: a--b | name: -a | listen: { port: 99999 } | listen: { prt: 1 } | listen: 8080 | gateways: 0 | version: 3
redirects: { path: /x, to: y } | redirects: { path: /x } | redirects: { path: /x, to: /y, status: 303 } | redirects: { to: ftp://x/ }
admin: { listen: "9" } | admin: { listen: "a:b" } | limits: { headers: 1 } | listen: { trustedProxies: nope } | logs: { access: loud }
`;

const cases = (text: string) =>
  text
    .trim()
    .split(/\n| \| /)
    .map((one) => one.trim());

const withKey = (key: string) =>
  `services:\n  a:\n${/^(app|function):/.test(key) ? "" : "    app: main.py\n"}    ${key}\n`;
const withName = (name: string) => `services:\n  ${name}:\n    app: main.py\n`;
const ofFile = (key: string) => `${key}\nservices:\n  a:\n    app: main.py\n`;

const RIGHT = [
  ...cases(RIGHT_SERVICES).map(withKey),
  ...cases(RIGHT_FILES).map(ofFile),
  ...["a", "web-2", "2", '"80"', "a".repeat(63)].map(withName),
  "services: { a: { function: jobs.py:f } }",
  "services: { a: { app: main.py }, b: { app: jobs.py, route: { path: /b } } }",
];

const WRONG = [
  ...cases(WRONG_SERVICES).map(withKey),
  ...cases(WRONG_FILES).map(ofFile),
  ...["Web", "a_b", "a.b", "-a", "a-", "a".repeat(64)].map(withName),
  "services:",
  "services: {}",
  "services: { a: }",
  "services: { a: main.py }",
  "services: [ { app: main.py } ]",
  "services: { a: { function: jobs.py } }",
  "services: { a: { app: main.py, function: jobs.py:f } }",
  "services: { a: { route: { path: / } } }",
  "x-only: 1",
];

/**
 * What a schema cannot see: notations of numbers, which are gone when YAML was read, and what two keys or two services make of each other.
 * A least or a most is checked of numbers and not of texts.
 */
const ONLY_CHECK = [
  "timeout: 1e3",
  "concurrency: 1e2",
  'concurrency: "0"',
  "resources: { cpu: 1m }",
  "resources: { memory: 1Ki }",
  "timeout: 0.0001s",
  "scale: { min: 5, max: 2 }",
  "route: [ { path: /x }, { path: /x } ]",
];

describe("the schema and the check", () => {
  test.each(RIGHT)("take %j", (source) => {
    expect({ check: checkTakes(source), schema: schemaTakes(source) }).toEqual({ check: true, schema: true });
  });

  test.each(WRONG)("refuse %j", (source) => {
    expect({ check: checkTakes(source), schema: schemaTakes(source) }).toEqual({
      check: false,
      schema: false,
    });
  });

  test.each(ONLY_CHECK.map(withKey))("differ where a schema cannot know: %j", (source) => {
    expect({ check: checkTakes(source), schema: schemaTakes(source) }).toEqual({
      check: false,
      schema: true,
    });
  });
});
