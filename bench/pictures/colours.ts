/** Each server looks the same in every picture: a family has a colour, its members differ by the stroke. Pure. */

const FAMILIES = [
  /^headrace/,
  /^uvicorn/,
  /^granian/,
  /^nginx/,
  /^gunicorn/,
  /^hypercorn/,
  /^functions-framework/,
];
/** Of all others. */
const REST = FAMILIES.length;
export const COLOURS = REST + 1;

export interface Look {
  readonly colour: number;
  readonly dashed: boolean;
  readonly strong: boolean;
}

export function lookOf(stack: string): Look {
  const family = FAMILIES.findIndex((pattern) => pattern.test(stack));
  const plain = /^[\w-]+$|^nginx|^gunicorn gthread$/.test(stack);
  return { colour: family === -1 ? REST : family, dashed: !plain, strong: family === 0 };
}
