/** The shape that JSON from outside must have, as data: what each value is, where it is wrong, in words. Pure. */

/** Looks at a value. Returns what is wrong with it, each with the path to it, or nothing. */
export type Shape = (value: unknown, path: string) => string[];

/** Shapes for every field of T: the compiler tells when one is forgotten or there is one too many. */
export type Fields<T> = { readonly [K in keyof T]-?: Shape };

/** A finite number of at least `least`. */
export function number(least = Number.NEGATIVE_INFINITY): Shape {
  return (value, path) => {
    if (typeof value !== "number" || !Number.isFinite(value))
      return [`${path}: ${said(value)}, must be a number`];
    return value < least ? [`${path}: ${value}, must be at least ${least}`] : [];
  };
}

export const text: Shape = (value, path) =>
  typeof value === "string" ? [] : [`${path}: ${said(value)}, must be text`];

export const truth: Shape = (value, path) =>
  typeof value === "boolean" ? [] : [`${path}: ${said(value)}, must be true or false`];

/** One of some words. */
export function word(...words: readonly string[]): Shape {
  return (value, path) =>
    typeof value === "string" && words.includes(value)
      ? []
      : [`${path}: ${said(value)}, must be ${words.map((each) => `"${each}"`).join(" or ")}`];
}

export function nullable(shape: Shape): Shape {
  return (value, path) => (value === null ? [] : shape(value, path));
}

export function list(shape: Shape): Shape {
  return (value, path) =>
    Array.isArray(value)
      ? value.flatMap((each, at) => shape(each, `${path}[${at}]`))
      : [`${path}: ${said(value)}, must be a list`];
}

/** Values by name, whatever the names are. */
export function record(shape: Shape): Shape {
  return (value, path) =>
    isObject(value)
      ? Object.entries(value).flatMap(([key, each]) => shape(each, `${path}.${key}`))
      : [`${path}: ${said(value)}, must be an object`];
}

/** An object with at least these fields: a later version may write more. */
export function object<T>(fields: Fields<T>): Shape {
  const shapes = Object.entries<Shape>(fields);
  return (value, path) =>
    isObject(value)
      ? shapes.flatMap(([key, shape]) => shape(value[key], path === "" ? key : `${path}.${key}`))
      : [`${path === "" ? "the file" : path}: ${said(value)}, must be an object`];
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function said(value: unknown): string {
  if (value === undefined) return "is missing";
  if (value === null || typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return Array.isArray(value) ? "a list" : "an object";
}
