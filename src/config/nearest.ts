/** Finds what somebody who wrote an unknown name meant. Pure. */

/** Flags of other servers that people bring along, and what they are called here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  workers: "instances",
  processes: "instances",
  w: "instances",
  threads: "concurrency",
  "worker-connections": "concurrency",
  "limit-concurrency": "concurrency",
  bind: "host and --port",
  b: "host and --port",
  fd: "uds",
  "unix-socket": "uds",
  chdir: "app-dir",
  source: "app-dir",
  "ssl-certfile": "tls-cert",
  certfile: "tls-cert",
  "ssl-certificate": "tls-cert",
  "ssl-keyfile": "tls-key",
  keyfile: "tls-key",
  "forwarded-allow-ips": "trusted-proxies",
  "proxy-headers": "trusted-proxies",
  "timeout-keep-alive": "idle-timeout",
  "keep-alive": "idle-timeout",
  "graceful-timeout": "drain-timeout",
  "timeout-graceful-shutdown": "drain-timeout",
  "limit-request-line": "max-request-line",
  "limit-request-fields": "max-headers",
  "limit-request-field_size": "max-header-size",
  "h11-max-incomplete-event-size": "max-header-size",
  "ws-per-message-deflate": "ws-deflate",
  backlog: "line-depth",
  backpressure: "line-depth",
  "access-logfile": "access-log",
  "access-log-file": "access-log",
  debug: "log-level debug",
  k: "worker-class",
};

/** Keys of Compose, Kubernetes, Cloud Run, Procfiles and other servers, without case and dashes, and where they stand in headrace.yaml. */
const KEYS_ELSEWHERE: Readonly<Record<string, string>> = {
  replicas: "services.NAME.instances",
  workers: "services.NAME.instances",
  processes: "services.NAME.instances",
  numinstances: "services.NAME.instances",
  threads: "services.NAME.concurrency",
  containerconcurrency: "services.NAME.concurrency",
  autoscaling: "services.NAME.scale",
  scaling: "services.NAME.scale",
  minreplicas: "scale.min",
  mininstances: "scale.min",
  minscale: "scale.min",
  maxreplicas: "scale.max",
  maxinstances: "scale.max",
  maxscale: "scale.max",
  environment: "services.NAME.env",
  envfrom: "services.NAME.envFile",
  module: "services.NAME.app",
  entrypoint: "services.NAME.app",
  command: "services.NAME.app",
  cmd: "services.NAME.app",
  handler: "services.NAME.function",
  workdir: "services.NAME.dir",
  workingdir: "services.NAME.dir",
  chdir: "services.NAME.dir",
  ingress: "services.NAME.route",
  rules: "services.NAME.route",
  domain: "route.host",
  domains: "route.host",
  hostname: "route.host",
  prefix: "route.path",
  mem: "resources.memory",
  memlimit: "resources.memory",
  cpus: "resources.cpu",
  timeoutseconds: "services.NAME.timeout",
  healthcheck: "services.NAME.healthPath",
  livenessprobe: "services.NAME.healthPath",
  readinessprobe: "services.NAME.healthPath",
  startupprobe: "services.NAME.startupTimeout",
  gracefultimeout: "services.NAME.drainTimeout",
  stopgraceperiod: "services.NAME.drainTimeout",
  terminationgraceperiodseconds: "services.NAME.drainTimeout",
  maxrequests: "recycle.requests",
  ports: "listen.port",
  bind: "listen.host",
  ssl: "listen.tlsCert",
  tls: "listen.tlsCert",
  certfile: "listen.tlsCert",
  keyfile: "listen.tlsKey",
  logging: "logs",
  loglevel: "logs.level",
};

const NO_IMAGE = "There are no images: name the code with app or function, and its interpreter with python.";

/** What has no key here. */
const ABSENT: Readonly<Record<string, string>> = {
  image: NO_IMAGE,
  build: NO_IMAGE,
  dockerfile: NO_IMAGE,
  version: "Leave it out: the file has no version.",
  secrets: "Name them in env: A: secret:env/NAME, or secret:file/PATH.",
  dependson: "Leave it out: all services start at once, and requests wait until theirs is there.",
  restart: "Leave it out: instances that end are always replaced.",
  volumes: "Leave it out: services run on this machine and see its files.",
};

/** A key that other programs have for it: its place here, or what to do. */
export function nearestKey(unknown: string): { readonly key: string; readonly sentence: string } | null {
  const plain = unknown.toLowerCase().replace(/[_-]/g, "");
  if (Object.hasOwn(ABSENT, plain)) return { key: "", sentence: ABSENT[plain]! };
  return Object.hasOwn(KEYS_ELSEWHERE, plain) ? { key: KEYS_ELSEWHERE[plain]!, sentence: "" } : null;
}

/** The flag (without dashes) that `unknown` most likely stands for, or null. */
export function nearestFlag(unknown: string, flags: readonly string[]): string | null {
  const elsewhere = Object.hasOwn(ELSEWHERE, unknown) ? ELSEWHERE[unknown]! : null;
  return elsewhere ?? nearestWord(unknown, flags);
}

/** The word closest to `unknown`, when it is close enough to be a slip of the finger, or the only one that begins so. */
export function nearestWord(unknown: string, words: readonly string[]): string | null {
  const lower = unknown.toLowerCase();
  const begun = words.filter((word) => lower.length >= 3 && word.toLowerCase().startsWith(lower));
  if (begun.length === 1) return begun[0]!;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(lower.length / 3)) + 1;
  for (const word of words) {
    const between = distance(lower, word.toLowerCase(), bestDistance);
    if (between < bestDistance) {
      bestDistance = between;
      best = word;
    }
  }
  return best;
}

/** Those closest to `unknown`, the closest first, however far they are. */
export function nearestWords(unknown: string, words: readonly string[], count: number): string[] {
  const lower = unknown.toLowerCase();
  const ranked = words.map((word) => ({ word, far: distance(lower, word.toLowerCase(), Infinity) }));
  return ranked
    .sort((a, b) => a.far - b.far)
    .slice(0, count)
    .map(({ word }) => word);
}

/** Edits (insert, delete, replace, swap of neighbours) between two words; gives up at `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
