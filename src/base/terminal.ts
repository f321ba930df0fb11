/** What a terminal can, as its environment says. */
export interface TerminalEnvironment {
  readonly [name: string]: string | undefined;
  readonly NO_COLOR?: string;
  readonly TERM?: string;
}

/** Whether to colour: a terminal that can, and nobody who asked for none (https://no-color.org). */
export function mayColor(isTerminal: boolean, env: TerminalEnvironment): boolean {
  return mayMove(isTerminal, env) && (env.NO_COLOR ?? "") === "";
}

/** Whether what stands there can be written anew. */
export function mayMove(isTerminal: boolean, env: TerminalEnvironment): boolean {
  return isTerminal && env.TERM !== "dumb";
}
