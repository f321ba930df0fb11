/** The same Headraces out of another checkout, beside those of this one: what a change did, within the rounds of one run. */
import { join } from "node:path";
import { ROOT } from "../frame/places.ts";
import type { Stack } from "./stack.ts";

const OWN = join(ROOT, "headrace");

/** All stacks, then every Headrace among them once more, started from `folder`. */
export function withBefore(stacks: readonly Stack[], folder: string | null): Stack[] {
  if (folder === null) return [...stacks];
  return [
    ...stacks,
    ...stacks.filter(({ against }) => against === null).map((stack) => before(stack, folder)),
  ];
}

function before(stack: Stack, folder: string): Stack {
  return {
    ...stack,
    name: `before: ${stack.name}`,
    alias: stack.name,
    against: stack.name,
    launch: (place) => {
      const launch = stack.launch(place);
      const command = launch.command.map((word) => (word === OWN ? join(folder, "headrace") : word));
      return { ...launch, command };
    },
  };
}
