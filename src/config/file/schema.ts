/** The JSON Schema of headrace.yaml, for editors, and the rows of its reference. Both are made from keys.ts. Pure. */

import type { JsonSchema } from "../option.ts";
import { application } from "./keys.ts";
import type { Key, MapShape, Shape, ValueShape } from "./shape.ts";
import { keyOfFlag } from "./translate.ts";

/** Anything with a reference in it is checked when the reference is known. */
const REFERENCE = { type: "string", pattern: "\\$\\{" } as const;

/** A key without a value is a map without keys. */
const EMPTY = ["object", "null"] as const;

/** The schema of a whole file, draft 2020-12. */
export function jsonSchema(): JsonSchema {
  const root = mapSchema(application);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "headrace.yaml",
    description: "An application: services, their routes, limits and scale.",
    ...root,
    patternProperties: { "^x-": {} },
  };
}

function schemaOf(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case "value":
      return valueSchema(shape);
    case "map":
      return mapSchema(shape);
    case "table":
      return {
        ...(shape.required ? { type: "object", minProperties: 1 } : { type: EMPTY }),
        propertyNames: { pattern: `^(${shape.like})$` },
        additionalProperties: schemaOf(shape.each),
      };
    case "list": {
      const item = schemaOf(shape.item);
      const several = { type: "array", items: item };
      return { anyOf: [...(shape.single ? [item] : []), several, { type: "null" }] };
    }
  }
}

function valueSchema({ option }: ValueShape): JsonSchema {
  const one = { anyOf: [option.schema, REFERENCE] };
  const typed = option.kind === "list" ? { anyOf: [one, { type: "array", items: one }] } : one;
  const fallback = option.kind === "toggle" ? option.fallback : option.fallbackText;
  return fallback === "" ? typed : { ...typed, default: fallback };
}

function mapSchema({ keys, oneOf = [] }: MapShape): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const [name, key] of Object.entries(keys)) {
    properties[name] = { description: keyOfFlag(key.doc), ...schemaOf(key.shape) };
  }
  const required = Object.keys(keys).filter((name) => keys[name]!.required === true);
  return {
    type: required.length + oneOf.length === 0 ? EMPTY : "object",
    properties,
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
    ...(oneOf.length === 0 ? {} : { oneOf: oneOf.map((name) => ({ required: [name] })) }),
  };
}

/** One key as the reference shows it. */
export interface KeyRow {
  /** `services.NAME.scale.min`. */
  readonly path: string;
  /** What its value is: `DURATION`, `on|off`, `map`, `list of maps`. */
  readonly type: string;
  /** Empty for none. */
  readonly fallback: string;
  readonly doc: string;
}

/** All keys in the order in which they are declared, groups before what is in them. */
export function keyRows(): readonly KeyRow[] {
  return [...rows(application, "")];
}

function* rows(shape: MapShape, path: string): Generator<KeyRow> {
  for (const [name, key] of Object.entries(shape.keys))
    yield* keyRow(key, path === "" ? name : `${path}.${name}`);
}

function* keyRow(key: Key, path: string): Generator<KeyRow> {
  const { shape, doc } = key;
  if (shape.kind === "value") {
    const { option } = shape;
    const type = option.kind === "toggle" ? "true|false" : option.placeholder;
    yield {
      path,
      type: option.kind === "list" ? `list of ${type}` : type,
      fallback: option.kind === "toggle" ? String(option.fallback) : option.fallbackText,
      doc: keyOfFlag(doc),
    };
    return;
  }
  const { inner, type, at } = within(shape, path);
  yield { path, type, fallback: "", doc };
  if (inner !== null) yield* rows(inner, at);
}

function within(
  shape: Exclude<Shape, ValueShape>,
  path: string,
): { inner: MapShape | null; type: string; at: string } {
  if (shape.kind === "map") return { inner: shape, type: "map", at: path };
  const of = shape.kind === "table" ? shape.each : shape.item;
  const inner = of.kind === "map" ? of : null;
  if (shape.kind === "table")
    return { inner, type: `map of ${shape.placeholder}`, at: `${path}.${shape.placeholder}` };
  return { inner, type: shape.single ? "map, or list of maps" : "list of maps", at: path };
}
