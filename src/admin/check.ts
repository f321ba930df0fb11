/** Says what of a JSON value does not fit a JSON Schema: the part of it that schema.ts writes. Pure. */

import type { JsonSchema } from "./schema.ts";

export interface CheckOptions {
  /** Where `$ref` leads: the whole document. */
  readonly root?: JsonSchema;
  /** Fields that an object does not declare are wrong, though the schema does not say so. */
  readonly closed?: boolean;
}

/** One sentence for each thing that is wrong, with the path to it; empty when it fits. @throws Error for a keyword it does not know */
export function misfits(
  schema: JsonSchema,
  value: unknown,
  options: CheckOptions = {},
  path = "",
): readonly string[] {
  const here = path === "" ? "the body" : path;
  const found: string[] = [];
  for (const [keyword, wanted] of Object.entries(schema)) {
    const rule = rules[keyword];
    if (rule === undefined)
      throw new Error(`the schema of ${here} has a keyword that is not known: ${keyword}`);
    found.push(...rule({ wanted, value, schema, options, path, here }));
    // Of what is of the wrong type nothing else is worth saying.
    if (keyword === "type" && found.length > 0) break;
  }
  return found;
}

interface Look {
  readonly wanted: unknown;
  readonly value: unknown;
  readonly schema: JsonSchema;
  readonly options: CheckOptions;
  readonly path: string;
  readonly here: string;
}

type Rule = (look: Look) => readonly string[];

const none: Rule = () => [];
const say = (fits: boolean, sentence: string) => (fits ? [] : [sentence]);

/** By keyword. Those about strings say nothing of what is no string, and so on, as in JSON Schema. */
const rules: Readonly<Record<string, Rule>> = {
  description: none,
  examples: none,
  default: none,
  format: none,
  type: ({ wanted, value, here }) => {
    const types = Array.isArray(wanted) ? (wanted as string[]) : [wanted as string];
    return say(
      types.some((type) => isOf(type, value)),
      `${here} must be ${types.join(" or ")}`,
    );
  },
  enum: ({ wanted, value, here }) => {
    const words = wanted as readonly unknown[];
    return say(words.includes(value), `${here} must be one of ${words.join(", ")}`);
  },
  minimum: ({ wanted, value, here }) =>
    say(typeof value !== "number" || value >= (wanted as number), `${here} must be at least ${wanted}`),
  maximum: ({ wanted, value, here }) =>
    say(typeof value !== "number" || value <= (wanted as number), `${here} must be at most ${wanted}`),
  minLength: ({ wanted, value, here }) =>
    say(typeof value !== "string" || value.length >= (wanted as number), `${here} must not be empty`),
  maxLength: ({ wanted, value, here }) =>
    say(
      typeof value !== "string" || value.length <= (wanted as number),
      `${here} must have at most ${wanted} characters`,
    ),
  pattern: ({ wanted, value, here }) =>
    say(
      typeof value !== "string" || new RegExp(wanted as string).test(value),
      `${here} must match ${wanted}`,
    ),
  anyOf: ({ wanted, value, options, path, here }) => {
    const fits = (wanted as readonly JsonSchema[]).some(
      (one) => misfits(one, value, options, path).length === 0,
    );
    return say(fits, `${here} fits none of what it may be`);
  },
  $ref: ({ wanted, value, options, path }) =>
    misfits(resolved(wanted as string, options), value, options, path),
  items: ({ wanted, value, options, path }) =>
    Array.isArray(value)
      ? value.flatMap((item, index) => misfits(wanted as JsonSchema, item, options, `${path}/${index}`))
      : [],
  required: ({ wanted, value, path }) =>
    isObject(value)
      ? (wanted as string[])
          .filter((key) => !Object.hasOwn(value, key))
          .map((key) => `${path}/${key} is missing`)
      : [],
  properties: ({ wanted, value, options, path }) => {
    if (!isObject(value)) return [];
    const known = wanted as Readonly<Record<string, JsonSchema>>;
    return Object.entries(value).flatMap(([key, field]) => {
      if (Object.hasOwn(known, key)) return misfits(known[key]!, field, options, `${path}/${key}`);
      return options.closed === true ? [`${path}/${key} is not known`] : [];
    });
  },
  additionalProperties: ({ wanted, value, schema, options, path }) => {
    if (!isObject(value)) return [];
    const known = (schema["properties"] ?? {}) as Readonly<Record<string, unknown>>;
    const others = Object.entries(value).filter(([key]) => !Object.hasOwn(known, key));
    // Said once, where both the schema and the options close the object.
    if (wanted === false)
      return options.closed === true ? [] : others.map(([key]) => `${path}/${key} is not known`);
    return others.flatMap(([key, field]) => misfits(wanted as JsonSchema, field, options, `${path}/${key}`));
  },
};

function resolved(reference: string, { root }: CheckOptions): JsonSchema {
  let here: unknown = root;
  for (const part of reference.replace(/^#\//, "").split("/")) {
    if (!isObject(here)) break;
    here = here[part];
  }
  if (!isObject(here)) throw new Error(`${reference} leads nowhere`);
  return here;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOf(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  if (type === "integer") return Number.isInteger(value);
  if (type === "number") return Number.isFinite(value);
  return typeof value === type;
}
