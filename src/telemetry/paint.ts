import { mayColor, type TerminalEnvironment } from "../base/terminal.ts";

/** Colours for terminals, or none. */
export interface Paint {
  dim(text: string): string;
  bold(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  /** One of six colours that depends on `key`. */
  keyed(key: string, text: string): string;
}

const same = (text: string): string => text;

/** No colours. */
export const plainPaint: Paint = {
  dim: same,
  bold: same,
  red: same,
  green: same,
  yellow: same,
  cyan: same,
  keyed: (_key, text) => text,
};

const KEYED = [36, 35, 34, 33, 32, 95] as const;

function ansi(open: number, close: number): (text: string) => string {
  return (text) => `\u001b[${open}m${text}\u001b[${close}m`;
}

/** ANSI colours. */
export const ansiPaint: Paint = {
  dim: ansi(2, 22),
  bold: ansi(1, 22),
  red: ansi(31, 39),
  green: ansi(32, 39),
  yellow: ansi(33, 39),
  cyan: ansi(36, 39),
  keyed(key, text) {
    let sum = 0;
    for (let index = 0; index < key.length; index++) sum = (sum * 31 + key.charCodeAt(index)) >>> 0;
    return ansi(KEYED[sum % KEYED.length]!, 39)(text);
  },
};

/** Colours where there may be some. */
export function paintFor(isTerminal: boolean, env: TerminalEnvironment = process.env): Paint {
  return mayColor(isTerminal, env) ? ansiPaint : plainPaint;
}
