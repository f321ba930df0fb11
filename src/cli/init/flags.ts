/** What the flags of other servers mean here: a table for each. Pure. */

/** What becomes of a flag. */
export type Meaning =
  /** A key of headrace.yaml with the same value. */
  | { readonly key: string; readonly words?: Readonly<Record<string, string>> }
  /** Something that is worked out from several flags. */
  | { readonly part: string }
  /** There is no such thing; the sentence says what to do. */
  | { readonly left: string }
  /** It makes no difference here. */
  | "nothing";

export interface Flag {
  readonly names: readonly string[];
  /** It stands alone. */
  readonly toggle: boolean;
  readonly means: Meaning;
}

const value = (names: string, means: Meaning): Flag => ({ names: names.split(" "), toggle: false, means });
const toggle = (names: string, means: Meaning): Flag => ({ names: names.split(" "), toggle: true, means });
const key = (name: string, words?: Readonly<Record<string, string>>): Meaning =>
  words === undefined ? { key: name } : { key: name, words };
const part = (name: string): Meaning => ({ part: name });
const left = (sentence: string): Meaning => ({ left: sentence });
const nothing = (names: string): Flag[] => names.split(" ").map((name) => value(name, "nothing"));
const idle = (names: string): Flag[] => names.split(" ").map((name) => toggle(name, "nothing"));

const LEVELS = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warn",
  warn: "warn",
  error: "error",
  critical: "error",
};
const LOOPS = { auto: "auto", asyncio: "asyncio", uvloop: "uvloop", none: "auto" };
const WATCH = left("Reloading when files change is: headrace up --watch.");
const USER = left("Start headrace as that user; it does not change users itself.");
const SOCKETS = left("A listening socket that is handed over is not supported.");

const gunicorn: readonly Flag[] = [
  value("-b --bind", part("bind")),
  value("-w --workers", part("workers")),
  value("-k --worker-class", part("class")),
  value("--threads", part("threads")),
  value("--worker-connections", part("connections")),
  value("-t --timeout", key("timeout")),
  value("--graceful-timeout", key("drainTimeout")),
  value("--keep-alive", key("/limits.idleTimeout")),
  value("--max-requests", key("recycle.requests")),
  value("--max-requests-jitter", key("recycle.requestsJitter")),
  value("--limit-request-line", key("/limits.requestLine")),
  value("--limit-request-fields", key("/limits.headers")),
  value("--limit-request-field_size", left("Headers are limited all together: limits.headerSize.")),
  value("--forwarded-allow-ips", key("/listen.trustedProxies")),
  value("--certfile", key("/listen.tlsCert")),
  value("--keyfile", key("/listen.tlsKey")),
  value("--chdir --pythonpath", part("dir")),
  value("-e --env", part("env")),
  value("-c --config", part("config")),
  value("--log-level", key("/logs.level", LEVELS)),
  value("-u --user -g --group", USER),
  value(
    "--statsd-host --statsd-prefix --dogstatsd-tags",
    left("Metrics are for Prometheus, on the admin port."),
  ),
  value(
    "--ssl-version --cert-reqs --ca-certs --ciphers",
    left("Client certificates and ciphers cannot be chosen."),
  ),
  value(
    "--logger-class --log-config --log-config-dict --log-config-json",
    left("Log formats cannot be configured."),
  ),
  toggle("--preload", { key: "preload", words: { true: "app" } }),
  toggle("--reload", WATCH),
  toggle("-D --daemon", left("It does not go to the background: systemd or a supervisor does that.")),
  toggle("--proxy-protocol", left("The PROXY protocol is not supported; Forwarded and X-Forwarded-* are.")),
  ...nothing(
    "-n --name --worker-tmp-dir -p --pid --access-logfile --error-logfile --log-file --access-logformat",
  ),
  ...nothing(
    "--backlog --reload-engine --reload-extra-file --umask -m --paste --worker-priority --log-syslog-to",
  ),
  ...idle("--capture-output --log-syslog --no-sendfile --reuse-port --check-config --print-config --spew"),
  ...idle("--enable-stdio-inheritance -R --disable-redirect-access-to-syslog --strip-header-spaces"),
];

const uvicorn: readonly Flag[] = [
  value("--host", key("/listen.host")),
  value("--port", key("/listen.port")),
  value("--uds", key("/listen.uds")),
  value("--fd", SOCKETS),
  value("--workers", part("workers")),
  value("--app-dir", part("dir")),
  value("--env-file", key("envFile")),
  value("--root-path", key("rootPath")),
  value("--loop", key("loop", LOOPS)),
  value("--lifespan", key("lifespan")),
  value("--interface", key("interface", { asgi3: "asgi", asgi2: "asgi", wsgi: "wsgi", auto: "auto" })),
  value("--limit-concurrency", key("concurrency")),
  value("--limit-max-requests", key("recycle.requests")),
  value("--timeout-keep-alive", key("/limits.idleTimeout")),
  value("--timeout-graceful-shutdown", key("drainTimeout")),
  value("--forwarded-allow-ips", key("/listen.trustedProxies")),
  value("--ssl-certfile", key("/listen.tlsCert")),
  value("--ssl-keyfile", key("/listen.tlsKey")),
  value("--ws-max-size", key("/limits.wsMaxSize")),
  value("--ws-ping-interval", key("/limits.wsPingInterval")),
  value("--ws-ping-timeout", key("/limits.wsPingTimeout")),
  value("--h11-max-incomplete-event-size", key("/limits.headerSize")),
  value("--log-level", key("/logs.level", LEVELS)),
  value("--log-config", left("Log formats cannot be configured.")),
  value("--header", left("Headers that every response gets are the app's affair.")),
  value("--ssl-keyfile-password --ssl-ca-certs --ssl-cert-reqs --ssl-ciphers --ssl-version", {
    left: "Client certificates, ciphers and keys with a password are not supported.",
  }),
  toggle("--factory", part("factory")),
  toggle("--reload", WATCH),
  toggle("--no-access-log", { key: "/logs.access", words: { true: "off" } }),
  ...nothing("--http --ws --backlog --ws-max-queue --ws-per-message-deflate --reload-dir --reload-include"),
  ...nothing("--reload-exclude --reload-delay --timeout-worker-healthcheck --app"),
  ...idle("--proxy-headers --no-proxy-headers --server-header --no-server-header --date-header"),
  ...idle("--no-date-header --access-log --use-colors --no-use-colors"),
];

const hypercorn: readonly Flag[] = [
  value("-b --bind", part("bind")),
  value("-w --workers", part("workers")),
  value("-k --worker-class", key("loop", LOOPS)),
  value("-c --config", left("The configuration file of Hypercorn is not read.")),
  value("--root-path", key("rootPath")),
  value("--keep-alive", key("/limits.idleTimeout")),
  value("--graceful-timeout", key("drainTimeout")),
  value("--max-requests", key("recycle.requests")),
  value("--max-requests-jitter", key("recycle.requestsJitter")),
  value("--certfile", key("/listen.tlsCert")),
  value("--keyfile", key("/listen.tlsKey")),
  value("--websocket-ping-interval", key("/limits.wsPingInterval")),
  value("--log-level", key("/logs.level", LEVELS)),
  value("--quic-bind", left("HTTP/3 is not supported.")),
  value("--user --group", USER),
  toggle("--reload", WATCH),
  ...nothing(
    "--access-logfile --access-logformat --error-logfile --log-file --log-config --backlog --pid --umask",
  ),
  ...nothing("--server-name --statsd-host --statsd-prefix"),
];

const daphne: readonly Flag[] = [
  value("-b --bind", key("/listen.host")),
  value("-p --port", key("/listen.port")),
  value("-u --unix-socket", key("/listen.uds")),
  value("--fd", SOCKETS),
  value("-t --http-timeout --application-close-timeout", "nothing"),
  value("--root-path", key("rootPath")),
  value("--ping-interval", key("/limits.wsPingInterval")),
  value("--ping-timeout", key("/limits.wsPingTimeout")),
  value("-e --endpoint", left("Endpoints of Twisted cannot be carried over: write listen.")),
  ...nothing(
    "-v --verbosity --access-log --log-fmt --websocket_timeout --websocket_connect_timeout --server-name",
  ),
  ...idle("--proxy-headers --no-server-name"),
];

const waitress: readonly Flag[] = [
  value("--listen", part("bind")),
  value("--host", key("/listen.host")),
  value("--port", key("/listen.port")),
  value("--unix-socket", key("/listen.uds")),
  value("--threads", key("concurrency")),
  value("--url-prefix", key("rootPath")),
  value("--max-request-body-size", key("/limits.body")),
  value("--max-request-header-size", key("/limits.headerSize")),
  value("--channel-timeout", key("/limits.idleTimeout")),
  value("--trusted-proxy", key("/listen.trustedProxies")),
  toggle("--call", part("factory")),
  ...nothing(
    "--connection-limit --backlog --trusted-proxy-headers --trusted-proxy-count --url-scheme --ident",
  ),
  ...nothing("--recv-bytes --send-bytes --outbuf-overflow --inbuf-overflow --cleanup-interval --app"),
  ...idle("--clear-untrusted-proxy-headers --expose-tracebacks --no-expose-tracebacks"),
];

const functionsFramework: readonly Flag[] = [
  value("--target", part("target")),
  value("--source", part("source")),
  value("--signature-type", key("signatureType")),
  value("--host", key("/listen.host")),
  value("--port", key("/listen.port")),
  toggle("--debug", "nothing"),
];

const granian: readonly Flag[] = [
  value("--host", key("/listen.host")),
  value("--port", key("/listen.port")),
  value("--uds", key("/listen.uds")),
  value("--interface", key("interface", { asgi: "asgi", asginl: "asgi", wsgi: "wsgi", rsgi: "asgi" })),
  value("--workers", part("workers")),
  value("--blocking-threads", key("concurrency")),
  value("--url-path-prefix", key("rootPath")),
  value("--workers-lifetime", key("recycle.age")),
  value("--ssl-certificate", key("/listen.tlsCert")),
  value("--ssl-keyfile", key("/listen.tlsKey")),
  value("--log-level", key("/logs.level", LEVELS)),
  toggle("--factory", part("factory")),
  toggle("--reload", WATCH),
  ...nothing(
    "--http --loop --backlog --backpressure --runtime-threads --runtime-mode --task-impl --process-name",
  ),
  ...idle("--ws --no-ws --access-log --no-access-log --opt --no-opt --respawn-failed-workers"),
];

const fastapi: readonly Flag[] = [
  value("--host", key("/listen.host")),
  value("--port", key("/listen.port")),
  value("--workers", part("workers")),
  value("--root-path", key("rootPath")),
  value("--app", part("attribute")),
  value("--forwarded-allow-ips", key("/listen.trustedProxies")),
  toggle("--reload", WATCH),
  ...idle("--no-reload --proxy-headers --no-proxy-headers"),
];

const flask: readonly Flag[] = [
  value("-A --app", part("flask-app")),
  value("-h --host", key("/listen.host")),
  value("-p --port", key("/listen.port")),
  value("--cert", key("/listen.tlsCert")),
  value("--key", key("/listen.tlsKey")),
  value("-e --env-file", key("envFile")),
  ...nothing("--extra-files --exclude-patterns"),
  ...idle(
    "--debug --no-debug --reload --no-reload --debugger --no-debugger --with-threads --without-threads",
  ),
];

/** By program. */
export const SERVERS: Readonly<Record<string, readonly Flag[]>> = {
  gunicorn,
  uvicorn,
  hypercorn,
  daphne,
  "waitress-serve": waitress,
  "functions-framework": functionsFramework,
  functions_framework: functionsFramework,
  granian,
  fastapi,
  flask,
};

/** Names of settings in gunicorn.conf.py, by the flag that means the same. */
export function gunicornSetting(name: string): Flag | undefined {
  const special: Readonly<Record<string, string>> = { preload_app: "--preload", keepalive: "--keep-alive" };
  const names = {
    raw_env: "--env",
    loglevel: "--log-level",
    accesslog: "--access-logfile",
    errorlog: "--error-logfile",
  };
  const flag = special[name] ?? names[name as keyof typeof names] ?? `--${name.replaceAll("_", "-")}`;
  return gunicorn.find((row) => row.names.includes(flag) || row.names.includes(`--${name}`));
}
