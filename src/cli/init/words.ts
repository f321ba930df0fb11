/** Command lines, as Procfiles, Dockerfiles and scripts have them. Pure. */

/** One command of a line. */
export interface Command {
  /** Set in front of it: `PORT=80 gunicorn …`. */
  readonly env: Readonly<Record<string, string>>;
  readonly words: readonly string[];
}

/** The commands of a shell line, in order, whatever stands between them. References to variables stay as they are. */
export function commandsOf(line: string): readonly Command[] {
  const commands: Command[] = [];
  let words: string[] = [];
  const end = () => {
    if (words.length > 0) commands.push(withEnvironment(words));
    words = [];
  };
  for (const token of tokens(line)) {
    if (token === null) end();
    else words.push(token);
  }
  end();
  return commands;
}

/** Words, and null for what ends a command. */
function* tokens(line: string): Generator<string | null> {
  let word = "";
  let open = false;
  for (let index = 0; index < line.length; index++) {
    const char = line[index]!;
    if (char === "\\") {
      const next = line[++index] ?? "";
      if (next !== "\n") {
        word += next;
        open = true;
      }
    } else if (char === "'" || char === '"') {
      const close = closing(line, index);
      word += line.slice(index + 1, close).replace(char === '"' ? /\\(["\\$`])/g : /(?!)/g, "$1");
      open = true;
      index = close;
    } else if (char === "$" && line[index + 1] === "{") {
      const close = line.indexOf("}", index);
      word += line.slice(index, close === -1 ? line.length : close + 1);
      open = true;
      index = close === -1 ? line.length : close;
    } else if (char === "#" && !open) {
      const next = line.indexOf("\n", index);
      index = (next === -1 ? line.length : next) - 1;
    } else if (/[\s;&|()]/.test(char)) {
      if (open) yield word;
      word = "";
      open = false;
      if (/[\n;&|()]/.test(char)) yield null;
    } else {
      word += char;
      open = true;
    }
  }
  if (open) yield word;
}

function closing(line: string, from: number): number {
  const quote = line[from]!;
  for (let index = from + 1; index < line.length; index++) {
    if (line[index] === "\\" && quote === '"') index++;
    else if (line[index] === quote) return index;
  }
  return line.length;
}

function withEnvironment(words: readonly string[]): Command {
  const env: Record<string, string> = {};
  let first = 0;
  for (; first < words.length; first++) {
    const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(words[first]!);
    if (match === null) break;
    env[match[1]!] = match[2]!;
  }
  return { env, words: words.slice(first) };
}

/** What runs another program in its own way, with those of its flags that take a value. */
const WRAPPERS: Readonly<Record<string, { readonly verb?: string; readonly values?: readonly string[] }>> = {
  exec: {},
  env: {},
  nohup: {},
  time: {},
  tini: { values: ["-e"] },
  "dumb-init": {},
  gosu: { values: ["*"] },
  "su-exec": { values: ["*"] },
  poetry: { verb: "run" },
  pipenv: { verb: "run" },
  pdm: { verb: "run" },
  uv: { verb: "run", values: ["--package", "--python", "-p", "--extra", "--group", "--env-file", "--with"] },
  hatch: { verb: "run" },
  "ddtrace-run": {},
  "opentelemetry-instrument": { values: ["*--"] },
  "newrelic-admin": { verb: "run-program" },
};

/** The program that a command comes to, as `gunicorn` whatever stands before it, and what stood there that should be known of. */
export function unwrapped({ env, words }: Command): Command & { readonly around: readonly string[] } {
  const around: string[] = [];
  let rest = [...words];
  let variables = { ...env };
  for (;;) {
    const program = (rest[0] ?? "").split("/").at(-1)!;
    const wrapper = WRAPPERS[program];
    const shell = /^(sh|bash|dash|ash)$/.test(program) && /^-\w*c$/.test(rest[1] ?? "");
    if (shell) {
      // The last command of the line is the one that stays.
      const inner = commandsOf(rest[2] ?? "").at(-1);
      if (inner === undefined) break;
      variables = { ...variables, ...inner.env };
      rest = [...inner.words];
    } else if (/^python[\d.]*$/.test(program) && rest[1] === "-m" && rest[2] !== undefined) {
      rest = rest.slice(2);
    } else if (/^python[\d.]*$/.test(program) && /^-[uOBsE]+$/.test(rest[1] ?? "")) {
      rest = [rest[0]!, ...rest.slice(2)];
    } else if (wrapper !== undefined && (wrapper.verb === undefined || rest.includes(wrapper.verb))) {
      if (/ddtrace|opentelemetry|newrelic/.test(program)) around.push(program);
      rest = afterWrapper(rest, wrapper);
      const inner = withEnvironment(rest);
      variables = { ...variables, ...inner.env };
      rest = [...inner.words];
    } else break;
  }
  const program = (rest[0] ?? "").split("/").at(-1)!;
  return { env: variables, words: [program, ...rest.slice(1)], around };
}

function afterWrapper(words: readonly string[], { verb, values = [] }: (typeof WRAPPERS)[string]): string[] {
  let index = verb === undefined ? 1 : words.indexOf(verb) + 1;
  while (index < words.length) {
    const word = words[index]!;
    if (word === "--") return words.slice(index + 1);
    if (!word.startsWith("-")) break;
    index += values.includes(word) || (values.includes("*--") && !word.includes("=")) ? 2 : 1;
  }
  // gosu USER program
  if (values.includes("*")) index++;
  return words.slice(index);
}

/**
 * A word with its references as headrace.yaml writes them: `$PORT` with a value that is known is `${PORT:-8000}`.
 * Null when a variable is not known.
 */
export function withReferences(word: string, known: Readonly<Record<string, string>>): string | null {
  let missing = false;
  const text = word.replace(
    /\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))/g,
    (_all, braced: string, fallback: string | undefined, plain: string) => {
      const name = braced ?? plain;
      const value = known[name] ?? fallback ?? (name === "PORT" ? "8080" : undefined);
      if (value === undefined || value.includes("$")) missing = true;
      return `\${${name}:-${value}}`;
    },
  );
  return missing || text.includes("`") || text.includes("$(") ? null : text;
}
