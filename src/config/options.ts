/** The options of `headrace run`, one row each. docs/cli.md and the help are made from these rows. */

import { checkEnvEntry, checkHostPort, checkPriority, checkProxy, checkUrlPath, LIKE } from "./checks.ts";
import { instanceOptions } from "./instance-options.ts";
import {
  choice,
  duration,
  integer,
  integerOrAuto,
  list,
  size,
  text,
  toggle,
  type ValueOf,
} from "./option.ts";
import { scalingOptions } from "./scaling-options.ts";

/** The groups in the order in which the help shows them. */
export const groups = [
  "App",
  "Address",
  "Instances",
  "Scaling",
  "Admission and time",
  "Limits",
  "WebSocket",
  "Logs",
  "Admin",
  "Development",
] as const;

const appOptions = {
  interface: choice({
    flag: "interface",
    group: "App",
    choices: ["auto", "asgi", "wsgi", "function"],
    fallback: "auto",
    doc: "What kind of app it is. auto finds out after the import.",
  }),
  factory: toggle({
    flag: "factory",
    group: "App",
    fallback: false,
    doc: "The attribute is called without arguments to get the app.",
  }),
  target: text({
    flag: "target",
    group: "App",
    env: ["FUNCTION_TARGET"],
    placeholder: "NAME",
    doc: "Name of the function to serve. With it, APP may be left out: it is $FUNCTION_SOURCE, else main.py.",
  }),
  signatureType: choice({
    flag: "signature-type",
    group: "App",
    env: ["FUNCTION_SIGNATURE_TYPE"],
    choices: ["auto", "http", "cloudevent", "event", "typed"],
    fallback: "auto",
    doc: "How the function is called. A decorator in the code is stronger; auto is http where there is none.",
  }),
  python: text({
    flag: "python",
    group: "App",
    placeholder: "PATH",
    doc: "Python interpreter. Default: $VIRTUAL_ENV, else .venv beside the app, else python3.",
  }),
  appDir: text({
    flag: "app-dir",
    group: "App",
    placeholder: "PATH",
    fallback: ".",
    doc: "Working directory of the app, and the first folder in which its modules are looked for.",
  }),
  env: list({
    flag: "env",
    short: "e",
    group: "App",
    placeholder: "KEY=VALUE",
    commas: false,
    check: checkEnvEntry,
    doc: "Sets an environment variable for the app. May be repeated; stronger than --env-file.",
  }),
  envFile: list({
    flag: "env-file",
    group: "App",
    placeholder: "PATH",
    commas: false,
    doc: "Reads environment variables for the app from a file of KEY=VALUE lines. May be repeated; later files are stronger.",
  }),
  rootPath: text({
    flag: "root-path",
    group: "App",
    placeholder: "/PATH",
    like: LIKE.urlPath,
    doc: "Path under which a proxy before us shows the app (ASGI root_path, WSGI SCRIPT_NAME).",
  }),
  service: text({
    flag: "service",
    group: "App",
    env: ["K_SERVICE"],
    placeholder: "NAME",
    doc: "Name of the service in logs, metrics and ps. Default: made from the app's name.",
  }),
} as const;

const addressOptions = {
  host: text({
    flag: "host",
    group: "Address",
    env: ["HOST"],
    placeholder: "ADDRESS",
    fallback: "127.0.0.1",
    doc: "Address to listen on. 0.0.0.0 or :: for all.",
  }),
  port: integer({
    flag: "port",
    short: "p",
    group: "Address",
    env: ["PORT"],
    min: 0,
    max: 65_535,
    fallback: 8080,
    doc: "Port to listen on. 0: a free one, said at the start.",
  }),
  uds: text({
    flag: "uds",
    group: "Address",
    placeholder: "PATH",
    doc: "Listens on this Unix socket instead of host and port.",
  }),
  tlsCert: text({
    flag: "tls-cert",
    group: "Address",
    placeholder: "PATH",
    doc: "Certificate chain in PEM; makes the address https. Needs --tls-key.",
  }),
  tlsKey: text({
    flag: "tls-key",
    group: "Address",
    placeholder: "PATH",
    doc: "Private key of the certificate in PEM, without a password.",
  }),
  http2: toggle({
    flag: "http2",
    group: "Address",
    fallback: true,
    doc: "HTTP/2: by ALPN under TLS, by prior knowledge on clear text.",
  }),
  trustedProxies: list({
    flag: "trusted-proxies",
    group: "Address",
    env: ["FORWARDED_ALLOW_IPS"],
    placeholder: "LIST",
    fallback: ["127.0.0.1", "::1"],
    check: checkProxy,
    like: LIKE.proxy,
    doc: "Addresses and networks (10.0.0.0/8) whose Forwarded and X-Forwarded-* headers are believed. * for all, unix for Unix sockets.",
  }),
} as const;

const admissionOptions = {
  timeout: duration({
    flag: "timeout",
    group: "Admission and time",
    env: ["CLOUD_RUN_TIMEOUT_SECONDS"],
    fallback: "300s",
    doc: "Time from a request's arrival to the head of its response, wait included; then 504. 0: no limit.",
  }),
  timeoutGrace: duration({
    flag: "timeout-grace",
    group: "Admission and time",
    fallback: "10s",
    doc: "A request over its time may stay in the app this long before its instance is recycled.",
  }),
  lineDepth: integerOrAuto({
    flag: "line-depth",
    group: "Admission and time",
    min: 0,
    max: 10_000_000,
    doc: "Requests that may wait for a slot; more get 429. auto: 10 x concurrency x the most instances. 0: none may wait.",
  }),
  lineWait: duration({
    flag: "line-wait",
    group: "Admission and time",
    min: "1ms",
    fallback: "10s",
    doc: "Longest wait for a slot; then 503.",
  }),
  shed: toggle({
    flag: "shed",
    group: "Admission and time",
    fallback: true,
    doc: "Under overload, refuses at once what could not be served in time, and serves the newest first. Off: all wait in order.",
  }),
  priority: list({
    flag: "priority",
    group: "Admission and time",
    placeholder: "/PATH=CLASS",
    check: checkPriority,
    like: LIKE.priority,
    doc: "Requests below a path are critical, default or bulk: the higher class goes first in the line, the lowest is refused first. May be repeated.",
  }),
  priorityHeader: text({
    flag: "priority-header",
    group: "Admission and time",
    placeholder: "NAME",
    doc: "A header that names the class of a request. Whoever can send it can go first: name one that a proxy before us sets.",
  }),
  healthPath: list({
    flag: "health-path",
    group: "Admission and time",
    placeholder: "/PATH",
    check: checkUrlPath,
    like: LIKE.urlPath,
    doc: "A path of the app that needs no slot and never waits. May be repeated.",
  }),
} as const;

const limitOptions = {
  maxRequestLine: size({
    flag: "max-request-line",
    group: "Limits",
    min: "256",
    fallback: "16KiB",
    doc: "Longest request line; longer ones get 414.",
  }),
  maxHeaderSize: size({
    flag: "max-header-size",
    group: "Limits",
    min: "1KiB",
    fallback: "64KiB",
    doc: "All headers of a request together; larger ones get 431.",
  }),
  maxHeaders: integer({
    flag: "max-headers",
    group: "Limits",
    min: 8,
    max: 10_000,
    fallback: 100,
    doc: "Number of headers of a request; more get 431.",
  }),
  maxBody: size({
    flag: "max-body",
    group: "Limits",
    fallback: "1GiB",
    doc: "Largest request body; larger ones get 413. 0: no limit.",
  }),
  headerTimeout: duration({
    flag: "header-timeout",
    group: "Limits",
    fallback: "10s",
    doc: "Time from a request's first byte to the end of its headers; then 408. 0: no limit.",
  }),
  bodyTimeout: duration({
    flag: "body-timeout",
    group: "Limits",
    fallback: "30s",
    doc: "Longest pause of a request body that the app waits for; then 408. 0: no limit.",
  }),
  sendTimeout: duration({
    flag: "send-timeout",
    group: "Limits",
    fallback: "60s",
    doc: "Longest pause of a client that takes no byte of its response; then it is cut off. 0: no limit.",
  }),
  idleTimeout: duration({
    flag: "idle-timeout",
    group: "Limits",
    fallback: "75s",
    doc: "A connection without a request is kept this long. 0: for ever.",
  }),
} as const;

const webSocketOptions = {
  wsMaxSize: size({
    flag: "ws-max-size",
    group: "WebSocket",
    min: "1",
    fallback: "16MiB",
    doc: "Largest message, uncompressed; a larger one closes with 1009.",
  }),
  wsPingInterval: duration({
    flag: "ws-ping-interval",
    group: "WebSocket",
    fallback: "20s",
    doc: "Pings go out this often. 0: none.",
  }),
  wsPingTimeout: duration({
    flag: "ws-ping-timeout",
    group: "WebSocket",
    fallback: "20s",
    doc: "A ping without an answer for so long closes the WebSocket. 0: no limit.",
  }),
  wsDeflate: toggle({
    flag: "ws-deflate",
    group: "WebSocket",
    fallback: true,
    doc: "Compresses messages for clients that ask for it (permessage-deflate).",
  }),
} as const;

const logOptions = {
  serverTiming: toggle({
    flag: "server-timing",
    group: "Logs",
    fallback: false,
    doc: "Responses carry Server-Timing: the wait, the app's time, and the phases of an instance's start if the request waited for one.",
  }),
  accessLog: choice({
    flag: "access-log",
    group: "Logs",
    choices: ["auto", "json", "text", "off"],
    fallback: "auto",
    doc: "One line a request, on stdout. auto: text on a terminal, else json.",
  }),
  logKeep: size({
    flag: "log-keep",
    group: "Logs",
    fallback: "8Mi",
    min: "256Ki",
    zero: true,
    doc: "Disk for the last log lines of a service, which headrace logs shows. 0: none are kept.",
  }),
  logLevel: choice({
    flag: "log-level",
    group: "Logs",
    choices: ["debug", "info", "warn", "error"],
    fallback: "info",
    doc: "Least level of the lines that Headrace itself writes, on stderr.",
  }),
  logFormat: choice({
    flag: "log-format",
    group: "Logs",
    choices: ["auto", "text", "json"],
    fallback: "auto",
    doc: "Format of Headrace's own lines and the app's output. auto: text on a terminal, else json.",
  }),
} as const;

const adminOptions = {
  admin: toggle({
    flag: "admin",
    group: "Admin",
    fallback: true,
    doc: "Serves health, metrics and the API behind ps on a port of its own.",
  }),
  adminHost: text({
    flag: "admin-host",
    group: "Admin",
    placeholder: "ADDRESS",
    fallback: "127.0.0.1",
    doc: "Address of the admin port. Any but loopback wants a token of whoever asks.",
  }),
  adminPort: integer({
    flag: "admin-port",
    group: "Admin",
    min: 0,
    max: 65_535,
    fallback: 8081,
    doc: "Admin port. When it is taken and was not asked for, a free one is used. 0: a free one.",
  }),
  adminListen: list({
    flag: "admin-listen",
    group: "Admin",
    placeholder: "HOST:PORT",
    check: checkHostPort,
    like: LIKE.hostPort,
    doc: "Serves the admin API on this address too, for other machines. May be repeated. Any but loopback wants a token of whoever asks.",
  }),
  adminTokenFile: text({
    flag: "admin-token-file",
    group: "Admin",
    placeholder: "PATH",
    doc: "A file with the token for admin addresses beyond loopback, at least 16 characters. $HEADRACE_ADMIN_TOKEN holds the token itself.",
  }),
} as const;

const developmentOptions = {
  reload: toggle({
    flag: "reload",
    group: "Development",
    fallback: false,
    doc: "Loads the app anew when its files change. No request is lost.",
  }),
  reloadDir: list({
    flag: "reload-dir",
    group: "Development",
    placeholder: "PATH",
    commas: false,
    doc: "Folder to watch, with all in it. May be repeated. Default: the app's folder.",
  }),
  reloadInclude: list({
    flag: "reload-include",
    group: "Development",
    placeholder: "GLOB",
    fallback: ["*.py"],
    doc: "Names of the files to watch. May be repeated.",
  }),
} as const;

/** All options of `headrace run`, by the name that their value has in the code. */
export const runOptions = {
  ...appOptions,
  ...addressOptions,
  ...instanceOptions,
  ...scalingOptions,
  ...admissionOptions,
  ...limitOptions,
  ...webSocketOptions,
  ...logOptions,
  ...adminOptions,
  ...developmentOptions,
} as const;

export type RunOptionName = keyof typeof runOptions;

/** The values of all options, after reading, before anything is made of them. */
export type RunValues = { readonly [K in RunOptionName]: ValueOf<(typeof runOptions)[K]> };
