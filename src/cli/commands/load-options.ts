/** The options of `headrace load`, one row each. Its help and its part of docs/cli.md are made from these rows. */

import { choice, decimal, duration, integer, list, text, toggle } from "../../config/option.ts";
import type { ValuesOf } from "../../config/parse.ts";

/** The groups in the order in which the help shows them. */
export const loadGroups = ["Load", "Request", "Expectations", "Search", "Reports", "Generator"] as const;

const loadShape = {
  rate: decimal({
    flag: "rate",
    short: "r",
    group: "Load",
    min: 0.01,
    max: 10_000_000,
    fallback: 50,
    doc: "Requests per second, begun on a schedule whatever comes back (open loop). With --hold: over the connections that are held.",
  }),
  stages: list({
    flag: "stages",
    group: "Load",
    placeholder: "TIME:RATE,...",
    doc: "The rate as points in time with straight lines between them: 0:0,30s:5000,60s:5000,70s:0.",
  }),
  connections: integer({
    flag: "connections",
    short: "c",
    group: "Load",
    min: 1,
    max: 10_000_000,
    fallback: 0,
    doc: "Closed loop: so many connections, each asks again when it was answered. With --hold: connections to hold.",
  }),
  requests: integer({
    flag: "requests",
    short: "n",
    group: "Load",
    min: 1,
    max: 1_000_000_000,
    fallback: 0,
    doc: "Ends a closed loop after so many requests.",
  }),
  hold: duration({
    flag: "hold",
    group: "Load",
    fallback: "0",
    doc: "Opens --connections connections, tries each with a request, keeps them open for so long, and tries each again.",
  }),
  openRate: integer({
    flag: "open-rate",
    group: "Load",
    min: 1,
    max: 1_000_000,
    fallback: 5_000,
    doc: "With --hold: new connections per second.",
  }),
  users: integer({
    flag: "users",
    short: "u",
    group: "Load",
    min: 1,
    max: 1_000_000,
    fallback: 0,
    doc: "Of a scenario: so many users (closed loop); with --rate, the most that are at work at once.",
  }),
  spawnRate: integer({
    flag: "spawn-rate",
    group: "Load",
    min: 1,
    max: 1_000_000,
    fallback: 0,
    doc: "Of a scenario: users that begin in a second. Default: all at once.",
  }),
  duration: duration({
    flag: "duration",
    short: "d",
    group: "Load",
    min: "1s",
    fallback: "30s",
    doc: "How long requests are begun, after the warm-up. What is in flight then is waited for.",
  }),
  warmup: duration({
    flag: "warmup",
    group: "Load",
    fallback: "0",
    doc: "Load before the measurement, which no total counts; whole seconds.",
  }),
  arrivals: choice({
    flag: "arrivals",
    group: "Load",
    choices: ["constant", "poisson"],
    fallback: "constant",
    doc: "Gaps between requests of an open loop: all alike, or random as those of many independent users.",
  }),
  maxConnections: integer({
    flag: "max-connections",
    group: "Load",
    min: 1,
    max: 10_000_000,
    fallback: 10_000,
    doc: "The most connections that an open loop may have. Requests beyond wait, and their waiting counts.",
  }),
  timeout: duration({
    flag: "timeout",
    group: "Load",
    min: "1ms",
    fallback: "30s",
    doc: "Longest time for a request, its connecting included. What takes longer counts as failed, and with this time.",
  }),
} as const;

const request = {
  host: text({
    flag: "host",
    group: "Request",
    placeholder: "URL",
    doc: "Of a scenario: where requests go whose URL is only a path.",
  }),
  method: text({
    flag: "method",
    short: "X",
    group: "Request",
    placeholder: "METHOD",
    doc: "Method of the request. Default: GET, or POST with --data.",
  }),
  header: list({
    flag: "header",
    short: "H",
    group: "Request",
    placeholder: "NAME: VALUE",
    commas: false,
    doc: "A header to send; may be given several times.",
  }),
  data: text({
    flag: "data",
    group: "Request",
    placeholder: "TEXT|@FILE",
    doc: "Body of the request, or @ and the file that holds it. On ws:// the message to send.",
  }),
  urls: text({
    flag: "urls",
    group: "Request",
    placeholder: "FILE",
    doc: "Instead of a URL: a file with a line for each, as in: 3 GET http://host/items. Weight and method may be left out; @FILE at the end is a body.",
  }),
  keepalive: toggle({
    flag: "keepalive",
    group: "Request",
    fallback: true,
    doc: "Uses connections for many requests.",
  }),
  connectTo: list({
    flag: "connect-to",
    group: "Request",
    placeholder: "HOST:PORT",
    doc: "Connects there instead of to the host of the URL; several take turns.",
  }),
  insecure: toggle({
    flag: "insecure",
    short: "k",
    group: "Request",
    fallback: false,
    doc: "Takes any certificate.",
  }),
  cacert: text({
    flag: "cacert",
    group: "Request",
    placeholder: "FILE",
    doc: "Certificate authorities to trust, as PEM.",
  }),
} as const;

const expectations = {
  expectStatus: list({
    flag: "expect-status",
    group: "Expectations",
    placeholder: "CODE",
    doc: "Statuses that are good. Default: all below 400.",
    check: (entry) => (/^[1-5]\d\d$/.test(entry) ? null : "a status from 100 to 599"),
  }),
  expectLength: integer({
    flag: "expect-length",
    group: "Expectations",
    min: 0,
    max: 1_000_000_000_000,
    fallback: -1,
    doc: "Bytes that the body must have.",
  }),
  expectBody: text({
    flag: "expect-body",
    group: "Expectations",
    placeholder: "TEXT",
    doc: "Text that the body must hold; between slashes a regular expression.",
  }),
  failIf: list({
    flag: "fail-if",
    group: "Expectations",
    placeholder: "CONDITION",
    doc: "Exit code 99 when it is so at the end: p99>200ms, errors>0.1%, rate<1900, service.p95>50ms, status.503>0.",
  }),
} as const;

const search = {
  findMax: toggle({
    flag: "find-max",
    group: "Search",
    fallback: false,
    doc: "Looks for the highest rate that keeps --slo, beginning with --rate.",
  }),
  slo: list({
    flag: "slo",
    group: "Search",
    placeholder: "CONDITION",
    doc: "What is promised: p99<100ms. Without a word on errors, at most 1% may fail.",
  }),
  stepDuration: duration({
    flag: "step-duration",
    group: "Search",
    min: "1s",
    fallback: "5s",
    doc: "How long each rate is tried.",
  }),
} as const;

const reports = {
  json: text({
    flag: "json",
    group: "Reports",
    placeholder: "FILE",
    doc: "Writes everything as JSON; - is stdout.",
  }),
  csv: text({
    flag: "csv",
    group: "Reports",
    placeholder: "FILE",
    doc: "Writes a row for each second as CSV.",
  }),
  html: text({
    flag: "html",
    group: "Reports",
    placeholder: "FILE",
    doc: "Writes one HTML page with plots, which needs no other file.",
  }),
  quiet: toggle({
    flag: "quiet",
    short: "q",
    group: "Reports",
    fallback: false,
    doc: "Shows nothing while it runs.",
  }),
  compare: toggle({
    flag: "compare",
    group: "Reports",
    fallback: false,
    doc: "Sends nothing: tells two --json files apart, as in: headrace load --compare before.json after.json.",
  }),
} as const;

const generator = {
  processes: integer({
    flag: "processes",
    short: "P",
    group: "Generator",
    min: 1,
    max: 256,
    fallback: 0,
    doc: "Generator processes. Default: as many as the connections and the rate need.",
  }),
  seed: integer({
    flag: "seed",
    group: "Generator",
    min: 0,
    max: 2_000_000_000,
    fallback: 1,
    doc: "Of all random numbers: the same seed sends the same requests.",
  }),
  python: text({
    flag: "python",
    group: "Generator",
    placeholder: "PATH",
    doc: "Of a scenario: the interpreter. Default: found as that of an app is.",
  }),
  admin: text({
    flag: "admin",
    group: "Generator",
    placeholder: "URL|off",
    doc: "Admin port of the Headrace behind the target. Default: that of the Headrace of this user that serves the URL.",
  }),
} as const;

export const loadOptions = {
  ...loadShape,
  ...request,
  ...expectations,
  ...search,
  ...reports,
  ...generator,
} as const;

export type LoadValues = ValuesOf<typeof loadOptions>;
