/**
 * Differential fuzzing against llhttp, the parser of Node.js: the same bytes go to both. What this front accepts llhttp has to accept too,
 * with the same method, target, headers and body; where only one accepts, the difference has to be in the tables below.
 */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { samples } from "./testing/corpus.ts";
import { Harness } from "./testing/harness.ts";
import { mutate, Random } from "./testing/mutate.ts";
import { bytes, type Recorded } from "./testing/recorder.ts";

setDefaultTimeout(120_000);

const SEED = 20_261_120;
const ROUNDS = 12_000;

/** Refused here, accepted by llhttp: the reason, by code. */
const STRICTER: Readonly<Record<string, string>> = {
  HR_HTTP_BARE_CR: "llhttp skips every CR and LF before a request",
  HR_HTTP_BAD_CHUNK_EXTENSION:
    "llhttp takes an extension with `=` and no value, and limits their length in no way",
  HR_HTTP_BAD_LENGTH: "llhttp finds an empty Content-Length bad only at the end of the head",
  HR_HTTP_LENGTH_TWICE: "llhttp finds an empty second Content-Length bad only at the end of the head",
  HR_HTTP_CONNECT: "llhttp knows CONNECT; this is no proxy",
  HR_HTTP_BAD_TARGET: "llhttp leaves the form of a target to its user, and takes fragments",
  HR_HTTP_BAD_REQUEST_LINE: "llhttp skips spaces before the target, and reads HTTP/0.9",
  HR_HTTP_BARE_LF: "llhttp skips every CR and LF before a request",
  HR_HTTP_VERSION: "llhttp reads 0.9 and 2.0",
  HR_HTTP_HOST_MISSING: "llhttp leaves Host to its user",
  HR_HTTP_HOST_TWICE: "llhttp leaves Host to its user",
  HR_HTTP_BAD_HOST: "llhttp leaves Host to its user",
  HR_HTTP_BAD_CODING:
    "llhttp only looks at the last coding, and takes none at all for a request that is upgraded",
  HR_HTTP_CODING_UNKNOWN: "llhttp only looks at the last coding",
  HR_HTTP_CODING_VERSION: "llhttp takes chunked in HTTP/1.0",
  HR_HTTP_CONTENT_TYPE_TWICE: "llhttp leaves Content-Type to its user",
  HR_HTTP_EXPECTATION: "llhttp leaves Expect to its user",
  HR_HTTP_BAD_CHUNK: "llhttp takes more than 13 digits of zeros in a chunk size",
  HR_HTTP_BAD_TRAILER: "llhttp takes every field as a trailer",
};

/** Inputs that need those of the reasons that random ones seldom do. */
const RARE: readonly string[] = [
  "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "CONNECT a:1 HTTP/1.1\r\nHost: a",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length:\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\t\r\n\r\nhello",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n",
];

/** Accepted here, refused by llhttp: the reason, by llhttp's code. */
const LAXER: Readonly<Record<string, string>> = {
  HPE_INVALID_CONTENT_LENGTH: "llhttp takes no tab after the digits; RFC 9110 section 5.5 has it trimmed",
  HPE_INVALID_TRANSFER_ENCODING: "llhttp takes no tab after the coding; RFC 9110 section 5.5 has it trimmed",
  HPE_INVALID_METHOD: "llhttp knows a list of methods; RFC 9110 has them open",
};

interface Asked {
  readonly error: string;
  readonly messages: readonly {
    readonly version: number;
    readonly method: string;
    readonly target: string;
    readonly headers: readonly string[];
    readonly body: string;
    readonly upgrade: boolean;
    readonly complete: boolean;
  }[];
}

const oracle = Bun.spawn(["node", `${import.meta.dir}/testing/llhttp-oracle.mjs`], {
  stdin: "pipe",
  stdout: "pipe",
  stderr: "inherit",
});
afterAll(() => oracle.kill());

async function ask(inputs: readonly string[]): Promise<Asked[]> {
  for (const input of inputs) oracle.stdin.write(`${Buffer.from(input, "latin1").toString("base64")}\n`);
  oracle.stdin.end();
  const lines = (await new Response(oracle.stdout).text()).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Asked);
}

const HOP = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

/** llhttp's headers as this front hands them over. */
function expectedFields(headers: readonly string[], target: string): string[] {
  const lines: string[] = [];
  const absolute = /^https?:\/\/([^/?]+)/i.exec(target);
  if (absolute !== null) lines.push(`host: ${absolute[1]}`);
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    if (HOP.has(name) || (name === "host" && absolute !== null)) continue;
    lines.push(`${name}: ${headers[i + 1]!.replace(/^[ \t]+|[ \t]+$/g, "")}`);
  }
  return lines;
}

/** What is wrong with the request that both accepted, or "". */
function difference(ours: Recorded, theirs: Asked["messages"][number]): string {
  const same: readonly (readonly [string, unknown, unknown])[] = [
    ["method", ours.head.method, theirs.method],
    ["target", ours.target, theirs.target],
    ["version", ours.head.version, theirs.version],
    ["fields", ours.fields.join("\n"), expectedFields(theirs.headers, theirs.target).join("\n")],
    ["body", ours.text, theirs.body],
  ];
  for (const [what, a, b] of same)
    if (a !== b) return `${what}: ${JSON.stringify(a)} here, ${JSON.stringify(b)} llhttp`;
  return "";
}

/** Compares both verdicts; "" when they agree or differ for a reason in the tables. */
function compare(harness: Harness, asked: Asked, seen: Set<string>): string {
  // What an upgrade is followed by is not HTTP to llhttp.
  if (asked.messages.some((message) => message.upgrade)) return "";
  const done = harness.requests.filter((request) => request.complete);
  for (const [i, request] of done.entries()) {
    const message = asked.messages[i];
    if (message === undefined || !message.complete) {
      if (LAXER[asked.error] === undefined)
        return `only accepted here: llhttp says ${asked.error || "incomplete"}`;
      seen.add(asked.error);
      return "";
    }
    const different = difference(request, message);
    if (different !== "") return different;
  }
  const code = /headrace-reason: (\w+)/.exec(harness.output)?.[1];
  if (code !== undefined && asked.error === "") {
    if (STRICTER[code] === undefined) return `only refused here: ${code}`;
    seen.add(code);
  }
  const closed = harness.transport.end_ !== "";
  if (
    code === undefined &&
    !closed &&
    asked.messages.filter((message) => message.complete).length > done.length
  ) {
    return "llhttp has a request that is not complete here";
  }
  return "";
}

test("the same bytes mean the same requests as to llhttp", async () => {
  const random = new Random(SEED);
  const seeds = [...samples("valid"), ...samples("invalid")]
    .filter((sample) => sample.bytes.length < 600)
    .map((sample) => Buffer.from(sample.bytes).toString("latin1"));
  const inputs = [...RARE, ...seeds];
  while (inputs.length < ROUNDS) inputs.push(mutate(random.pick(seeds), random.pick(seeds), random));
  const answers = await ask(inputs);
  expect(answers.length).toBe(inputs.length);
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const [i, input] of inputs.entries()) {
    const harness = new Harness().send(bytes(input));
    const problem = compare(harness, answers[i]!, seen);
    if (problem !== "") problems.push(`${problem}\n    ${JSON.stringify(input)}`);
  }
  expect(problems.slice(0, 20)).toEqual([]);
  // A reason that no input needs any more is no reason.
  expect([...Object.keys(STRICTER), ...Object.keys(LAXER)].filter((code) => !seen.has(code))).toEqual([]);
});

test("pieces do not matter", () => {
  const random = new Random(SEED + 1);
  const seeds = [...samples("valid"), ...samples("invalid")]
    .filter((sample) => sample.bytes.length < 600)
    .map((sample) => Buffer.from(sample.bytes).toString("latin1"));
  for (let i = 0; i < 2000; i++) {
    const input = mutate(random.pick(seeds), random.pick(seeds), random);
    const whole = new Harness().send(bytes(input));
    const cuts = Array.from({ length: 1 + random.below(6) }, () => random.below(input.length + 1)).sort(
      (a, b) => a - b,
    );
    const pieces = new Harness().sendSplit(bytes(input), ...cuts);
    const view = (harness: Harness): unknown => ({
      statuses: harness.statuses,
      requests: harness.requests.map((r) => [r.head.method, r.target, r.fields, r.complete && r.text]),
      end: harness.transport.end_,
    });
    expect({ input, ...(view(pieces) as object) }).toEqual({ input, ...(view(whole) as object) });
  }
});
