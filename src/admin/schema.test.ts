import { expect, test } from "bun:test";
import { misfits } from "./check.ts";
import {
  array,
  boolean,
  type Components,
  integer,
  jsonSchema,
  map,
  nullable,
  object,
  oneOf,
  optional,
  string,
  type ValueOf,
} from "./schema.ts";

const point = object("Point", { x: integer("Across.", { minimum: 0 }), name: optional(string()) });
const drawing = object("Drawing", {
  points: array(point, "In order."),
  kind: oneOf(["line", "area"]),
  closed: nullable(boolean("Whether the ends meet.")),
  tags: map(string("", { minLength: 1 })),
  origin: nullable(point, "Where it begins."),
});

const good: ValueOf<typeof drawing> = {
  points: [{ x: 1 }, { x: 2, name: "b" }],
  kind: "line",
  closed: null,
  tags: { colour: "red" },
  origin: null,
};

test("is written as JSON Schema, named objects once", () => {
  const components: Components = new Map();
  expect(jsonSchema(drawing, components)).toEqual({ $ref: "#/components/schemas/Drawing" });
  expect([...components.keys()]).toEqual(["Drawing", "Point"]);
  expect(components.get("Drawing")).toEqual({
    type: "object",
    properties: {
      points: { type: "array", items: { $ref: "#/components/schemas/Point" }, description: "In order." },
      kind: { type: "string", enum: ["line", "area"] },
      closed: { type: ["boolean", "null"], description: "Whether the ends meet." },
      tags: { type: "object", additionalProperties: { type: "string", minLength: 1 } },
      origin: {
        anyOf: [{ $ref: "#/components/schemas/Point" }, { type: "null" }],
        description: "Where it begins.",
      },
    },
    required: ["points", "kind", "closed", "tags", "origin"],
  });
});

test("finds all that does not fit, each with its path, by references and in place", () => {
  const components: Components = new Map();
  const reference = jsonSchema(drawing, components);
  const root = { components: { schemas: Object.fromEntries(components) } };
  const bad = {
    points: [{ x: -1 }, { x: 1.5, y: 2 }, { name: 3 }, 4],
    kind: "circle",
    tags: { colour: "" },
    origin: { x: "a" },
    more: 1,
  };
  const wrong = [
    "/points/0/x must be at least 0",
    "/points/1/x must be integer",
    "/points/1/y is not known",
    "/points/2/name must be string",
    "/points/2/x is missing",
    "/points/3 must be object",
    "/kind must be one of line, area",
    "/tags/colour must not be empty",
    "/origin fits none of what it may be",
    "/more is not known",
    "/closed is missing",
  ].sort();
  expect(misfits(reference, good, { root, closed: true })).toEqual([]);
  expect([...misfits(reference, bad, { root, closed: true })].sort()).toEqual(wrong);
  expect(misfits(jsonSchema(drawing), good)).toEqual([]);
  const inPlace = wrong.map((line) => (line.startsWith("/origin") ? "/origin/x must be integer" : line));
  expect([...misfits(jsonSchema(drawing), bad)].sort()).toEqual(inPlace);
});

test("an answer may have more fields than are declared, unless that is asked", () => {
  const components: Components = new Map();
  const reference = jsonSchema(point, components);
  const root = { components: { schemas: Object.fromEntries(components) } };
  expect(misfits(reference, { x: 1, later: 2 }, { root })).toEqual([]);
});

test("a keyword that it cannot check is not passed over", () => {
  expect(() => misfits({ type: "integer", multipleOf: 2 }, 3)).toThrow("multipleOf");
  expect(() => misfits({ $ref: "#/components/schemas/Nowhere" }, 3, { root: {} })).toThrow("leads nowhere");
});
