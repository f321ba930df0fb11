/** From the command line of a server to what headrace.yaml would say. Pure. */

import { type Flag, gunicornSetting, SERVERS } from "./flags.ts";
import { joined } from "./project.ts";
import { Draft } from "./sketch.ts";
import { type Command, unwrapped, withReferences } from "./words.ts";

/** A setting of gunicorn.conf.py. */
export interface PythonSetting {
  readonly name: string;
  readonly line: number;
  /** Null: not known without running the file. */
  readonly value: string | number | boolean | null;
  readonly source: string;
}

/** Where a command stands. */
export interface Setting {
  /** `Procfile:1`. */
  readonly from: string;
  /** Relative to the root. */
  readonly folder: string;
  /** Variables whose values are known. */
  readonly variables: Readonly<Record<string, string>>;
  /** The settings in a gunicorn.conf.py, by its path; undefined: there is none. */
  readonly gunicornConf: (path: string) => readonly PythonSetting[] | undefined;
}

/** What a command came to. */
export interface ServerCommand {
  readonly draft: Draft;
  /** Folder in which the app is looked for, relative to the root. */
  readonly folder: string;
  readonly program: string;
  /** `main.py` of `python main.py`, a folder of Django's `manage.py runserver`: the app has to be found there. */
  readonly script: string;
}

/** Null for what serves no HTTP. */
export function readCommand(command: Command, setting: Setting): ServerCommand | null {
  const { env, words, around } = unwrapped(command);
  const program = words[0]!;
  const reader = new CommandReader(program, { ...setting, variables: { ...setting.variables, ...env } });
  for (const name of around)
    reader.draft.leave(`${name} ran around the server (${setting.from}): import what it sets up in the app.`);
  for (const [name, value] of Object.entries(env)) reader.variable(name, value);
  if (/^python[\d.]*$/.test(program)) return reader.script(words.slice(1));
  if (SERVERS[program] === undefined) return null;
  // They do other things as well: flask db upgrade.
  if (program === "flask" && !words.includes("run")) return null;
  if (program === "fastapi" && !/^(run|dev)$/.test(words[1] ?? "")) return null;
  return reader.server(words.slice(1));
}

/** Variables that are about the server or the container, not the app. */
export const NOT_THE_APPS =
  /^(PATH|PORT|HOST|HOME|LANG|LC_\w+|TERM|SHELL|DEBIAN_FRONTEND|VIRTUAL_ENV|WEB_CONCURRENCY|PYTHON(UNBUFFERED|DONTWRITEBYTECODE|FAULTHANDLER|HASHSEED|PATH|_VERSION|_PIP_VERSION)|(PIP|POETRY|UV|PDM|PIPENV|GUNICORN|UVICORN|FLASK_RUN)_\w+|FLASK_(APP|ENV)|FUNCTION_(TARGET|SOURCE|SIGNATURE_TYPE))$/;

class CommandReader {
  readonly draft = new Draft();
  readonly #program: string;
  readonly #setting: Setting;
  /** What is worked out from several flags: name to value and where it comes from. */
  readonly #parts = new Map<string, { readonly value: string; readonly from: string }>();
  #folder: string;

  constructor(program: string, setting: Setting) {
    this.#program = program;
    this.#setting = setting;
    this.#folder = setting.folder;
  }

  variable(name: string, value: string): void {
    if (NOT_THE_APPS.test(name)) return;
    const known = withReferences(value, this.#setting.variables);
    if (known === null) this.draft.leave(`${name} (${this.#setting.from}) depends on other variables.`);
    else this.draft.variable(name, known, this.#setting.from, known !== value);
  }

  /** `python main.py`, `python manage.py runserver`. */
  script(words: readonly string[]): ServerCommand | null {
    const [script = "", ...rest] = words;
    if (!script.endsWith(".py")) return null;
    if (script.endsWith("manage.py") && !rest.some((word) => word.startsWith("runserver"))) return null;
    return { draft: this.draft, folder: this.#folder, program: "python", script: joined(script) };
  }

  server(words: readonly string[]): ServerCommand {
    const { from, variables } = this.#setting;
    if (this.#program === "gunicorn") {
      this.#gunicornConf(words);
      const given = variables["GUNICORN_CMD_ARGS"];
      if (given !== undefined) this.#flags(given.split(/\s+/), `${from}, GUNICORN_CMD_ARGS`);
    }
    const positionals = this.#flags(words, from);
    this.#workers();
    this.#address();
    this.#target(positionals);
    const dir = this.#parts.get("dir")?.value;
    if (dir !== undefined && !dir.startsWith("/")) this.#folder = joined(this.#folder, dir);
    return { draft: this.draft, folder: this.#folder, program: this.#program, script: "" };
  }

  /** The file that is named, else the one that gunicorn takes by itself. */
  #gunicornConf(words: readonly string[]): void {
    const at = words.findIndex((word) => word === "-c" || word.startsWith("--config"));
    const named = at === -1 ? "" : (words[at]!.split("=")[1] ?? words[at + 1] ?? "");
    const path = joined(this.#folder, named.replace(/^(file:|python:)/, "") || "gunicorn.conf.py");
    const settings = this.#setting.gunicornConf(path) ?? (named === "" ? [] : undefined);
    if (settings === undefined) {
      this.draft.leave(`${path} (${this.#setting.from}) is not there, so it was not read.`);
      return;
    }
    for (const { name, line, value, source } of settings) {
      const flag = gunicornSetting(name);
      if (name === "wsgi_app" && typeof value === "string") this.#parts.set("app", { value, from: path });
      const from = `${path}:${line}, ${name}`;
      if (flag === undefined) continue;
      const worked = value ?? fromEnvironment(source, name === "bind");
      if (worked === null) {
        if (flag.means !== "nothing")
          this.draft.leave(`${name} = ${source} (${path}:${line}) is worked out when it runs.`);
      } else if (flag.toggle ? worked === true : worked !== "") this.#mean(flag, String(worked), from);
    }
  }

  /** Reads flags; answers what is none. */
  #flags(words: readonly string[], from: string): readonly string[] {
    const positionals: string[] = [];
    const table = SERVERS[this.#program]!;
    for (let index = 0; index < words.length; index++) {
      const word = words[index]!;
      if (!word.startsWith("-") || word === "-") {
        positionals.push(word);
        continue;
      }
      const equals = word.indexOf("=");
      const short = /^-[A-Za-z][^=]/.test(word) && !word.startsWith("--");
      const name = short ? word.slice(0, 2) : equals === -1 ? word : word.slice(0, equals);
      const flag = table.find(({ names }) => names.includes(name));
      if (flag === undefined) {
        this.draft.leave(`${word} (${from}) is not known here.`);
        continue;
      }
      const attached = short ? word.slice(2) : equals === -1 ? undefined : word.slice(equals + 1);
      const value = flag.toggle ? "true" : (attached ?? words[++index] ?? "");
      const shown = flag.toggle ? word : `${name} ${value}`;
      const known = withReferences(value, this.#setting.variables);
      if (known === null) this.draft.leave(`${shown} (${from}): the variable in it is not known.`);
      else this.#mean(flag, known, `${from}, ${shown}`);
    }
    return positionals;
  }

  #mean({ means }: Flag, value: string, from: string): void {
    if (means === "nothing") return;
    if ("left" in means) this.draft.leave(`${from}: ${means.left}`);
    else if ("part" in means) {
      if (means.part === "env") {
        const equals = value.indexOf("=");
        if (equals > 0) this.variable(value.slice(0, equals), value.slice(equals + 1));
      } else this.#parts.set(means.part, { value, from });
    } else {
      const word = means.words === undefined ? value : wordFor(value, means.words);
      if (word === undefined) this.draft.leave(`${from}: there is no such choice here.`);
      else this.draft.set(means.key, word, from);
    }
  }

  /** Workers, threads and classes: how many instances, and what each works on at a time. */
  #workers(): void {
    const { draft } = this;
    const part = (name: string) => this.#parts.get(name);
    const workers = part("workers");
    const concurrency = this.#setting.variables["WEB_CONCURRENCY"];
    if (workers !== undefined) draft.set("instances", workers.value, workers.from);
    else if (concurrency !== undefined && /^(gunicorn|uvicorn)$/.test(this.#program))
      draft.set("instances", concurrency, `${this.#setting.from}, WEB_CONCURRENCY`);
    if (this.#program !== "gunicorn") return;
    const threads = part("threads");
    const kind = part("class");
    const name = (kind?.value ?? "sync").split(".").at(-1)!.toLowerCase();
    if (/uvicorn|h11worker/.test(name)) draft.set("interface", "asgi", kind!.from);
    else if (/gevent|eventlet/.test(name)) {
      const connections = part("connections");
      draft.set("workerClass", "gevent", kind!.from);
      draft.set(
        "concurrency",
        connections?.value ?? "1000",
        connections?.from ?? `${kind!.from}: gunicorn's default`,
      );
      if (name.includes("eventlet"))
        draft.leave(`${kind!.from}: eventlet is not supported, gevent is; it has to be installed.`);
    } else if (/tornado/.test(name)) draft.leave(`${kind!.from}: Tornado's worker is not supported.`);
    else if (threads !== undefined && threads.value !== "1")
      draft.set("concurrency", threads.value, threads.from);
    else {
      const why = "gunicorn's sync workers take one request at a time; more, where the app is thread-safe";
      draft.set("concurrency", "1", kind?.from === undefined ? why : `${kind.from}: ${why}`);
    }
  }

  #address(): void {
    const bind = this.#parts.get("bind");
    const port = this.#setting.variables["PORT"];
    if (bind === undefined && this.#program === "gunicorn" && port !== undefined) {
      // Without a word it listens there.
      this.draft.set("/listen.host", "0.0.0.0", `${this.#setting.from}, gunicorn's default`);
      this.draft.set("/listen.port", `\${PORT:-${port}}`, `${this.#setting.from}, gunicorn's default`);
    }
    if (bind === undefined) return;
    const { value, from } = bind;
    if (value.startsWith("unix:")) {
      this.draft.set("/listen.uds", value.slice("unix:".length), from);
      return;
    }
    const [, host = "", tcp = ""] = /^(.*?)(?::(\d+|\$\{[^}]*\}))?$/.exec(value) ?? [];
    const bare = host.replace(/^\[(.*)\]$/, "$1").replace(/^\*$/, "0.0.0.0");
    if (/^\d+$/.test(bare) && tcp === "") this.draft.set("/listen.port", bare, from);
    else {
      if (bare !== "" || tcp !== "") this.draft.set("/listen.host", bare === "" ? "0.0.0.0" : bare, from);
      if (tcp !== "") this.draft.set("/listen.port", tcp, from);
    }
  }

  #target(positionals: readonly string[]): void {
    const part = (name: string) => this.#parts.get(name)?.value;
    const factory = part("factory") !== undefined;
    const { variables } = this.#setting;
    if (/^functions.framework$/.test(this.#program)) {
      const attribute = part("target") ?? variables["FUNCTION_TARGET"] ?? "";
      const place = part("source") ?? variables["FUNCTION_SOURCE"] ?? "main.py";
      this.draft.target = { place, attribute, factory: false, function: true };
      return;
    }
    let named = positionals[0] ?? part("app") ?? "";
    if (this.#program === "fastapi") named = joined(positionals[1] ?? "");
    if (this.#program === "flask") named = part("flask-app") ?? variables["FLASK_APP"] ?? "";
    if (named === "" && !/^(fastapi|flask)$/.test(this.#program)) return;
    this.draft.target = targetOf(named, part("attribute") ?? "", factory);
  }
}

/** A choice in the words of headrace.yaml; a reference stays one where its default is said in the same way. */
function wordFor(value: string, words: Readonly<Record<string, string>>): string | undefined {
  const fallback = /^\$\{\w+:-(.*)\}$/.exec(value)?.[1];
  if (fallback === undefined) return words[value];
  return words[fallback] === fallback ? value : undefined;
}

/**
 * `int(os.environ.get("WORKERS", 2))` as `${WORKERS:-2}`; null for what is anything else.
 * @param address it may stand within one: `f"0.0.0.0:{os.environ.get('PORT', 8080)}"`
 */
export function fromEnvironment(source: string, address = false): string | null {
  const get =
    /os\.(?:environ\.get|getenv)\(['"](\w+)['"](?:,\s*(?:str\()?['"]?([\w.]+)['"]?\)?)?\)|os\.environ\[['"](\w+)['"]\]/;
  const match = get.exec(source);
  if (match === null) return null;
  const name = match[1] ?? match[3]!;
  const fallback = match[2] ?? (name === "PORT" ? "8080" : undefined);
  if (fallback === undefined || fallback === "None") return null;
  const rest = source.replace(get, "@");
  const reference = `\${${name}:-${fallback}}`;
  if (/^(?:int|float|str)?\(?@\)?$/.test(rest)) return reference;
  const host =
    /^f?['"]([\d.*]*):\{?@\}?['"]$/.exec(rest)?.[1] ?? /^['"]([\d.*]*):['"]\s*\+\s*@$/.exec(rest)?.[1];
  return address && host !== undefined ? `${host}:${reference}` : null;
}

/** `shop.main:app`, `shop.main:create_app()`, `shop/main.py`, `shop.main`. */
export function targetOf(named: string, attribute = "", factory = false): NonNullable<Draft["target"]> {
  const [, place = "", after = ""] = /^([^:]*)(?::(.*))?$/.exec(named) ?? [];
  const called = /^([\w.]+)\(\s*\)$/.exec(after)?.[1];
  return {
    place,
    attribute: called ?? (after || attribute),
    factory: factory || called !== undefined,
    function: false,
  };
}
