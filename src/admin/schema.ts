/**
 * What JSON values of the admin API look like: declared once, used as a TypeScript type, as JSON Schema, and to check bodies. Pure.
 *
 * A {@link Schema} of a type of src/model fits that type exactly, or the compiler says so: the two cannot drift apart.
 */

/** A part of a JSON Schema (draft 2020-12, which OpenAPI 3.1 uses). */
export type JsonSchema = Readonly<Record<string, unknown>>;

type Shape =
  | { readonly kind: "string" | "integer" | "number" | "boolean" | "null"; readonly facts: JsonSchema }
  | { readonly kind: "array"; readonly item: AnySchema }
  | { readonly kind: "map"; readonly value: AnySchema }
  | { readonly kind: "object"; readonly name: string; readonly fields: Fields };

/** A schema of whatever type. */
export interface AnySchema {
  readonly shape: Shape;
  readonly doc: string;
  readonly nullable: boolean;
  /** As a field: may be left out. */
  readonly optional: boolean;
}

/** A schema of values of type T. */
export interface Schema<T> extends AnySchema {
  /** Never there: holds T, in both directions, so that a schema is of one type and of no other. */
  readonly of?: (value: T) => T;
}

/** A field that may be left out. */
export interface OptionalSchema<T> extends Schema<T> {
  readonly optional: true;
}

type Fields = Readonly<Record<string, AnySchema>>;

/** The type of the values that a schema describes. */
export type ValueOf<S extends AnySchema> = S extends Schema<infer T> ? T : never;

type OptionalNames<F extends Fields> = {
  [K in keyof F]: F[K] extends { readonly optional: true } ? K : never;
}[keyof F];

type ObjectOf<F extends Fields> = Flat<
  { readonly [K in Exclude<keyof F, OptionalNames<F>>]: ValueOf<F[K]> } & {
    readonly [K in OptionalNames<F>]?: ValueOf<F[K]>;
  }
>;

type Flat<T> = { [K in keyof T]: T[K] };

function simple<T>(kind: "string" | "integer" | "number" | "boolean" | "null") {
  return (doc = "", facts: JsonSchema = {}): Schema<T> => ({
    shape: { kind, facts },
    doc,
    nullable: false,
    optional: false,
  });
}

/** @param facts what else JSON Schema says of it: minLength, maxLength, pattern */
export const string = simple<string>("string");
/** @param facts minimum, maximum */
export const integer = simple<number>("integer");
/** @param facts minimum, maximum */
export const number = simple<number>("number");
export const boolean = simple<boolean>("boolean");

/** A text, a number, true, false or null. */
export function scalar(doc = ""): Schema<string | number | boolean | null> {
  return {
    shape: { kind: "string", facts: { type: ["string", "number", "boolean", "null"] } },
    doc,
    nullable: false,
    optional: false,
  };
}

/** One of some words. */
export function oneOf<const W extends readonly string[]>(words: W, doc = ""): Schema<W[number]> {
  return { shape: { kind: "string", facts: { enum: words } }, doc, nullable: false, optional: false };
}

export function array<T>(item: Schema<T>, doc = ""): Schema<readonly T[]> {
  return { shape: { kind: "array", item }, doc, nullable: false, optional: false };
}

/** An object whose keys are names. */
export function map<T>(value: Schema<T>, doc = ""): Schema<Readonly<Record<string, T>>> {
  return { shape: { kind: "map", value }, doc, nullable: false, optional: false };
}

/** @param name under which OpenAPI knows it; empty to write it out in place */
export function object<F extends Fields>(name: string, fields: F, doc = ""): Schema<ObjectOf<F>> {
  return { shape: { kind: "object", name, fields }, doc, nullable: false, optional: false };
}

export function nullable<T>(schema: Schema<T>, doc = schema.doc): Schema<T | null> {
  return { shape: schema.shape, doc, nullable: true, optional: schema.optional };
}

export function optional<T>(schema: Schema<T>): OptionalSchema<T> {
  return { shape: schema.shape, doc: schema.doc, nullable: schema.nullable, optional: true };
}

/** Objects that have names, by name. */
export type Components = Map<string, JsonSchema>;

/**
 * As JSON Schema. Objects with a name are put into `components` and referred to.
 * @param components none: everything is written out in place, and objects take no fields but their own, as bodies of requests do
 */
export function jsonSchema(schema: AnySchema, components?: Components): JsonSchema {
  const plain = jsonShape(schema, components);
  const described = schema.doc === "" ? plain : { ...plain, description: schema.doc };
  if (!schema.nullable) return described;
  const { type, ...rest } = described;
  if (typeof type === "string" && !("enum" in rest)) return { type: [type, "null"], ...rest };
  const { description, ...bare } = described;
  return { anyOf: [bare, { type: "null" }], ...(description === undefined ? {} : { description }) };
}

function jsonShape({ shape }: AnySchema, components: Components | undefined): JsonSchema {
  switch (shape.kind) {
    case "array":
      return { type: "array", items: jsonSchema(shape.item, components) };
    case "map":
      return { type: "object", additionalProperties: jsonSchema(shape.value, components) };
    case "object":
      return jsonObject(shape, components);
    default:
      return { type: shape.kind, ...shape.facts };
  }
}

function jsonObject(
  shape: Extract<Shape, { kind: "object" }>,
  components: Components | undefined,
): JsonSchema {
  const { name, fields } = shape;
  const refers = components !== undefined && name !== "";
  const reference = { $ref: `#/components/schemas/${name}` };
  if (refers && components.has(name)) return reference;
  // Noted before its fields are looked at, so that it may hold itself.
  if (refers) components.set(name, {});
  const entries = Object.entries(fields);
  const object = {
    type: "object",
    properties: Object.fromEntries(entries.map(([key, field]) => [key, jsonSchema(field, components)])),
    required: entries.filter(([, field]) => !field.optional).map(([key]) => key),
    ...(components === undefined ? { additionalProperties: false } : {}),
  };
  if (!refers) return object;
  components.set(name, object);
  return reference;
}
