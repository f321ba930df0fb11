/**
 * Every key of headrace.yaml, declared once. What a key of `headrace run` has already - type, default, unit, check, sentence - comes
 * from that option's row. docs/config.md and docs/headrace.schema.json are made from this file.
 *
 * Names follow Kubernetes, Knative and Cloud Run where they mean the same thing.
 */

import { checkUrlPath, LIKE } from "../checks.ts";
import { anyCase, choice, integer, list, type Option, percent, text, toggle } from "../option.ts";
import { dnsLabel } from "../service.ts";
import { group, type ListShape, type MapShape, sets, type TableShape, value } from "./shape.ts";

const own = (flag: string, doc: string) => ({ flag, doc, group: "file" });

/** A text with a check of its own. */
function checked(
  basics: {
    readonly flag: string;
    readonly doc: string;
    readonly placeholder: string;
    readonly fallback?: string;
    readonly like: string;
  },
  check: (text: string) => string | null,
): Option<string> {
  const option = text({ group: "file", ...basics });
  return {
    ...option,
    read(entry) {
      const wanted = check(entry);
      return wanted === null ? { ok: true, value: entry } : { ok: false, wanted };
    },
  };
}

const LETTER = "[a-zA-Z0-9]";
const HOST_PART = `${LETTER}([a-zA-Z0-9-]*${LETTER})?`;
const HOST = `(\\*\\.)?(${HOST_PART}\\.)*${HOST_PART}`;
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const LABEL = "(?=.{1,63}$)[a-z0-9]+(-[a-z0-9]+)*";

/** Says what would be a good host of a route, or null: a name, `*.name` for all below it. */
export function checkHost(host: string): string | null {
  return /^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(host) &&
    host.length <= 253
    ? null
    : "a host without a port, such as shop.test or *.shop.test";
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] as const;

function checkMethod(method: string): string | null {
  return (METHODS as readonly string[]).includes(method.toUpperCase())
    ? null
    : `one of ${METHODS.join(", ")}`;
}

/** A condition on a header: `x-beta` (it is there) or `x-beta: yes`. */
export function checkHeader(entry: string): string | null {
  return /^[!#$%&'*+.^_\x60|~0-9A-Za-z-]+(: ?[\x20-\x7e]+)?$/.test(entry)
    ? null
    : "the name of a header, or name: value";
}

const route: MapShape = {
  kind: "map",
  keys: {
    host: value(
      checked(
        {
          ...own("host", "Host of the requests; *.shop.test for all below it. Default: any."),
          placeholder: "HOST",
          like: HOST,
        },
        checkHost,
      ),
    ),
    path: value(
      checked(
        {
          ...own("path", "Path that requests begin with, by whole segments. The longest path wins."),
          placeholder: "/PATH",
          like: LIKE.urlPath,
          fallback: "/",
        },
        checkUrlPath,
      ),
    ),
    methods: value(
      list({
        ...own("methods", "Only these methods; GET is HEAD as well. Default: any."),
        placeholder: "METHOD",
        check: checkMethod,
        like: METHODS.map(anyCase).join("|"),
      }),
    ),
    headers: value(
      list({
        ...own(
          "headers",
          "Only requests with all of these headers: `x-beta` for any value, `x-beta: yes` for that one.",
        ),
        placeholder: "HEADER",
        commas: false,
        check: checkHeader,
        like: `${TOKEN}(: ?[ -~]+)?`,
      }),
    ),
    strip: value(
      toggle({
        ...own("strip", "The app sees the path without this prefix, and the prefix as its root_path."),
        fallback: false,
      }),
    ),
    rewrite: value(
      checked(
        {
          ...own(
            "rewrite",
            "Stands in for the prefix in the path that the app sees. Not together with strip.",
          ),
          placeholder: "/PATH",
          like: LIKE.urlPath,
        },
        checkUrlPath,
      ),
    ),
  },
};

const routes: ListShape = { kind: "list", item: route, single: true };

/** Most permits of a bulkhead: more than all slots there can be. */
const MOST_PERMITS = 1_000_000;

const limits: ListShape = {
  kind: "list",
  single: true,
  item: {
    kind: "map",
    keys: {
      path: value(
        checked(
          {
            ...own("path", "Path that the requests begin with, by whole segments, as the app sees it."),
            placeholder: "/PATH",
            like: LIKE.urlPath,
            fallback: "/",
          },
          checkUrlPath,
        ),
      ),
      method: value(
        list({
          ...own("method", "Only this method; one, or a list. GET is HEAD as well. Default: any."),
          placeholder: "METHOD",
          check: checkMethod,
        }),
      ),
      slots: value(
        {
          ...integer({
            ...own("slots", "So many of them may be in flight, over all instances and gateways."),
            min: 1,
            max: MOST_PERMITS,
            fallback: 1,
          }),
          fallbackText: "",
        },
        { required: true },
      ),
    },
  },
};

/** Names of headers and cookies are tokens (RFC 9110 §5.6.2, RFC 6265 §4.1.1). */
function checkToken(name: string): string | null {
  return /^[!#$%&'*+.^_\x60|~0-9A-Za-z-]+$/.test(name) ? null : "a name without spaces";
}

const named = (flag: string, doc: string) =>
  value(checked({ ...own(flag, doc), placeholder: "NAME", like: TOKEN }, checkToken));

const balanceFactor: Option<number> = {
  ...percent({
    ...own(
      "balanceFactor",
      "Share of the average that an instance may have in flight and still get the requests of its keys; more of them go to the next one. 0: only when it is full.",
    ),
    fallback: 0,
  }),
  fallbackText: "125%",
  schema: {
    anyOf: [
      { const: 0 },
      { type: "integer", minimum: 101, maximum: 1000 },
      { type: "string", pattern: "^(0|(?!100)[1-9][0-9]{2}|1000) ?%?$" },
    ],
  },
  read(entry) {
    const share = /^(\d{1,4}) ?%?$/.exec(entry);
    const number = share === null ? Number.NaN : Number(share[1]);
    if (number === 0 || (number > 100 && number <= 1000)) return { ok: true, value: number };
    return { ok: false, wanted: "a share from 101% to 1000%, such as 125%, or 0" };
  },
};

const affinity = group(
  "Requests that belong together go to the same instance, while it is there and has room.",
  {
    header: named("header", "Header whose value is the key."),
    cookie: named("cookie", "Cookie whose value is the key."),
    query: named("query", "Query parameter whose value is the key."),
    sticky: value(
      toggle({
        ...own("sticky", "The gateway sets the cookie itself, with a token of the instance that answered."),
        fallback: false,
      }),
    ),
    balanceFactor: value(balanceFactor),
  },
  ["header", "cookie", "query"],
);

const split = group(
  "While the traffic has several revisions: requests that belong together go to the same one. Default: by the key of affinity; without one each goes where its turn is.",
  {
    header: named("header", "Header whose value is the key."),
    cookie: named("cookie", "Cookie whose value is the key."),
    query: named("query", "Query parameter whose value is the key."),
  },
  ["header", "cookie", "query"],
);

/** A value of any kind, empty ones included. */
const variable: Option<string> = {
  ...text({ ...own("env", "Its value."), placeholder: "VALUE" }),
  schema: { type: ["string", "number", "boolean"] },
  read: (entry) => ({ ok: true, value: entry }),
};

const serviceKeys: MapShape["keys"] = {
  app: value(
    text({
      ...own(
        "app",
        "File or module of an ASGI or WSGI app, with or without its attribute: main.py, shop.main:app.",
      ),
      placeholder: "APP",
    }),
  ),
  function: value(
    checked(
      {
        ...own(
          "function",
          "File or module of a function, with its name: jobs.py:thumbnail, shop.jobs:thumbnail. Instead of app.",
        ),
        placeholder: "APP:NAME",
        like: ".+:[A-Za-z_][A-Za-z0-9_.]*",
      },
      (entry) =>
        /.:[A-Za-z_][\w.]*$/.test(entry)
          ? null
          : "its file or module and its name, such as jobs.py:thumbnail or shop.jobs:thumbnail",
    ),
  ),
  interface: sets("interface"),
  factory: sets("factory"),
  signatureType: sets("signatureType"),
  python: sets(
    "python",
    "Python interpreter, or the folder of a virtual environment. Default: .venv beside the app, else $VIRTUAL_ENV, else python3.",
  ),
  dir: sets(
    "appDir",
    "Working directory of the app, and the first folder in which its modules are looked for; relative to the file. Default: the file's folder.",
  ),
  env: {
    shape: {
      kind: "table",
      placeholder: "KEY",
      like: "[A-Za-z_][A-Za-z0-9_]*",
      required: false,
      name: (name) =>
        /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? null : "Write letters, digits and underscores.",
      each: { kind: "value", option: variable, run: null, secrets: true },
    },
    doc: "Environment variables. A value may be a reference to a secret: secret:env/NAME, secret:file/PATH.",
  },
  envFile: sets("envFile"),
  route: {
    shape: routes,
    doc: "Which requests are for this service; one route, or a list. Without one, a service that is alone gets all requests, and one among others only those of other services.",
  },
  rootPath: sets("rootPath"),
  split,
  instances: sets("instances", "A fixed number of instances. Not together with scale."),
  concurrency: sets("concurrency"),
  scale: group("How many instances there may be, and by what they are counted.", {
    min: sets("minInstances"),
    max: sets("maxInstances"),
    target: sets("scaleTarget"),
    rps: sets("targetRps"),
    cpu: sets("scaleCpu"),
    memory: sets("scaleMemory"),
    stableWindow: sets("stableWindow"),
    downDelay: sets("scaleDownDelay"),
    toZeroAfter: sets("scaleToZeroAfter"),
    lineDrain: sets("lineDrain"),
  }),
  resources: group("What one instance may use.", { cpu: sets("cpu"), memory: sets("memory") }),
  recycle: group("When an instance is replaced though it is well. The new one is ready first.", {
    age: sets("maxInstanceAge"),
    requests: sets("maxRequests"),
    requestsJitter: sets("maxRequestsJitter"),
    memory: sets("maxInstanceMemory"),
  }),
  preload: sets("preload"),
  workerClass: sets("workerClass"),
  loop: sets("loop"),
  lifespan: sets("lifespan"),
  startupTimeout: sets("startupTimeout"),
  drainTimeout: sets("drainTimeout"),
  timeout: sets("timeout"),
  timeoutGrace: sets("timeoutGrace"),
  line: group("The requests that wait for a slot.", { depth: sets("lineDepth"), wait: sets("lineWait") }),
  healthPath: sets("healthPath"),
  serverTiming: sets("serverTiming"),
  shed: sets("shed"),
  affinity,
  limits: {
    shape: limits,
    doc: "Bulkheads: kinds of requests of which only so many may be in flight. The others of a kind wait, and hold nobody else back.",
  },
  priority: sets("priority"),
  priorityHeader: sets("priorityHeader"),
};

const redirects: ListShape = {
  kind: "list",
  single: true,
  item: {
    kind: "map",
    keys: {
      host: route.keys["host"]!,
      path: route.keys["path"]!,
      to: value(
        checked(
          {
            ...own(
              "to",
              "Where to: a path, or a whole URL. What follows the prefix is kept when it ends with /*.",
            ),
            placeholder: "URL",
            like: "(https?://[^/ ]+)?/[!-~]*",
          },
          (to) =>
            /^(https?:\/\/[^\s/]+)?\/[\x21-\x7e]*$/.test(to)
              ? null
              : "a path that begins with /, or an http(s) URL with a path",
        ),
        { required: true },
      ),
      status: value(
        choice({
          ...own("status", "308 and 307 keep the method, 301 and 302 may not."),
          choices: ["301", "302", "307", "308"],
          fallback: "308",
        }),
      ),
    },
  },
};

/** Services are called by their names, which become host names and environment variables. */
const services: TableShape = {
  kind: "table",
  placeholder: "NAME",
  like: LABEL,
  required: true,
  name: (name) =>
    dnsLabel(name) === name ? null : "Write lower case letters, digits and dashes, at most 63.",
  each: { kind: "map", keys: serviceKeys, oneOf: ["app", "function"] },
};

/** The whole file. Keys that begin with x- are the user's own, for anchors. */
export const application: MapShape = {
  kind: "map",
  keys: {
    name: value(
      checked(
        {
          ...own("name", "Name of the application. Default: the name of the file's folder."),
          placeholder: "NAME",
          like: LABEL,
        },
        (name) => (dnsLabel(name) === name ? null : "lower case letters, digits and dashes, at most 63"),
      ),
    ),
    listen: group("Where the gateways take requests.", {
      host: sets("host"),
      port: sets("port"),
      uds: sets("uds"),
      tlsCert: sets("tlsCert"),
      tlsKey: sets("tlsKey"),
      http2: sets("http2"),
      trustedProxies: sets("trustedProxies"),
    }),
    gateways: sets("gateways"),
    limits: group("Limits of HTTP and WebSocket, for all services.", {
      requestLine: sets("maxRequestLine"),
      headerSize: sets("maxHeaderSize"),
      headers: sets("maxHeaders"),
      body: sets("maxBody"),
      headerTimeout: sets("headerTimeout"),
      bodyTimeout: sets("bodyTimeout"),
      sendTimeout: sets("sendTimeout"),
      idleTimeout: sets("idleTimeout"),
      wsMaxSize: sets("wsMaxSize"),
      wsPingInterval: sets("wsPingInterval"),
      wsPingTimeout: sets("wsPingTimeout"),
      wsDeflate: sets("wsDeflate"),
    }),
    logs: group("What is written where.", {
      access: sets("accessLog"),
      level: sets("logLevel"),
      format: sets("logFormat"),
      keep: sets("logKeep"),
    }),
    admin: group("The port of health, metrics and the API behind ps.", {
      enabled: sets("admin"),
      host: sets("adminHost"),
      port: sets("adminPort"),
      listen: sets("adminListen"),
      tokenFile: sets("adminTokenFile"),
    }),
    redirects: { shape: redirects, doc: "Requests that are answered with a redirect, before any service." },
    services: { shape: services, doc: "The services by name.", required: true },
  },
};

/** Options of `headrace run` that the file says in another way or has no use for, with the reason. */
export const elsewhere: Readonly<Record<string, string>> = {
  target: "function names it",
  service: "the key under services is the name",
  env: "env is a map",
  reload: "headrace up --watch",
  reloadDir: "headrace up --watch watches each service's folder",
  reloadInclude: "headrace up --watch watches *.py",
};
