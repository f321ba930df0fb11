/** The flags that say how much is measured, each also from the environment, so that `make bench ROUNDS=7` works. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Settings } from "./model.ts";

export class UsageError extends Error {}

type Given = Readonly<Record<string, string | boolean | undefined>>;

const DEFAULTS = { rounds: 5, seconds: 1, budget: 45 };

/** @throws UsageError */
export function readSettings(
  given: Given,
  environment: Readonly<Record<string, string | undefined>>,
): Settings {
  const text = (name: string): string | undefined => {
    const value = given[name];
    if (typeof value === "string") return value;
    const other = environment[name.toUpperCase()];
    return other === "" ? undefined : other;
  };
  const quick = given["quick"] === true;
  const number = (name: keyof typeof DEFAULTS, whole: boolean) => {
    const said = text(name);
    const value = said === undefined ? (quick && name === "rounds" ? 1 : DEFAULTS[name]) : Number(said);
    if (!(value > 0) || (whole && !Number.isInteger(value)))
      throw new UsageError(`--${name} is ${said}; it must be a ${whole ? "whole " : ""}number above 0`);
    return value;
  };
  return {
    rounds: number("rounds", true),
    // wrk measures whole seconds.
    seconds: number("seconds", true),
    budget: number("budget", false),
    quick,
    pin: readPin(text("pin")),
    stacks: (text("stacks") ?? "").split(",").filter((part) => part !== ""),
    before: readBefore(text("before")),
  };
}

function readBefore(text: string | undefined): string | null {
  if (text === undefined) return null;
  const folder = resolve(text);
  if (!existsSync(join(folder, "headrace")))
    throw new UsageError(
      `--before is ${text}; it must be a checkout of Headrace, with its packages installed`,
    );
  return folder;
}

function readPin(text: string | undefined): Settings["pin"] {
  if (text === undefined) return null;
  const [, servers, load] = /^([\d,-]+):([\d,-]+)$/.exec(text) ?? [];
  if (servers === undefined || load === undefined)
    throw new UsageError(`--pin is ${text}; it must be the cores of servers and of load, such as 0-2:3`);
  return { servers, load };
}
