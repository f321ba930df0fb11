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

/** The flag (without dashes) that `unknown` most likely stands for, or null. */
export function nearestFlag(unknown: string, flags: readonly string[]): string | null {
  const elsewhere = Object.hasOwn(ELSEWHERE, unknown) ? ELSEWHERE[unknown]! : null;
  return elsewhere ?? nearestWord(unknown, flags);
}

/** The word closest to `unknown`, when it is close enough to be a slip of the finger, or the only one that begins so. */
export function nearestWord(unknown: string, words: readonly string[]): string | null {
  const lower = unknown.toLowerCase();
  const begun = words.filter((word) => lower.length >= 3 && word.startsWith(lower));
  if (begun.length === 1) return begun[0]!;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(lower.length / 3)) + 1;
  for (const word of words) {
    const between = distance(lower, word, bestDistance);
    if (between < bestDistance) {
      bestDistance = between;
      best = word;
    }
  }
  return best;
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
