/**
 * Files of environment variables, as `docker run --env-file` and dotenv know them. Pure.
 *
 * One `KEY=VALUE` a line, `export` before it allowed; empty lines and lines that begin with `#` are skipped. A value in single
 * quotes stands as it is, one in double quotes knows \n \r \t \" \\ \$, and either may go over several lines; without quotes
 * it ends before ` #`. Nothing is expanded.
 */

export interface EnvFile {
  readonly variables: Readonly<Record<string, string>>;
  /** Lines (from 1) that are not KEY=VALUE, and why. */
  readonly wrong: readonly { readonly line: number; readonly why: string }[];
}

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*/;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

export function parseEnvFile(text: string): EnvFile {
  const variables: Record<string, string> = {};
  const wrong: { line: number; why: string }[] = [];
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const start = index;
    const line = lines[index]!;
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    const match = ASSIGNMENT.exec(line);
    if (match === null) {
      wrong.push({ line: start + 1, why: "it is not KEY=VALUE" });
      continue;
    }
    const rest = line.slice(match[0].length);
    const quote = rest[0];
    if (quote !== '"' && quote !== "'") {
      variables[match[1]!] = rest.replace(/\s+#.*$/, "").trimEnd();
      continue;
    }
    let quoted = rest.slice(1);
    let end = closing(quoted, quote);
    while (end === -1 && index + 1 < lines.length) {
      quoted += `\n${lines[++index]!}`;
      end = closing(quoted, quote);
    }
    if (end === -1) {
      wrong.push({ line: start + 1, why: `the quote ${quote} is not closed` });
      index = start;
    } else if (!/^\s*(#.*)?$/.test(quoted.slice(end + 1))) {
      wrong.push({ line: start + 1, why: `something follows the closing ${quote}` });
    } else variables[match[1]!] = quote === "'" ? quoted.slice(0, end) : withoutEscapes(quoted.slice(0, end));
  }
  return { variables, wrong };
}

/** Index of the closing quote, or -1. */
function closing(text: string, quote: string): number {
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "\\" && quote === '"') index++;
    else if (text[index] === quote) return index;
  }
  return -1;
}

function withoutEscapes(text: string): string {
  return text.replace(/\\([nrt"\\$])/g, (_all, letter: string) => ESCAPES[letter] ?? letter);
}
