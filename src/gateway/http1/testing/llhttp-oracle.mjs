// What Node's llhttp makes of raw requests. Run by Node.js: reads one base64 input a line, answers with one JSON object a line.
// The parser behind node:http is not public API, but it is the strictest way to ask llhttp itself, without a server's own checks.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { HTTPParser, methods } = createRequire(import.meta.url)("_http_common");
const { REQUEST, kOnHeaders, kOnHeadersComplete, kOnBody, kOnMessageComplete } = HTTPParser;

function ask(input) {
  const parser = new HTTPParser();
  parser.initialize(REQUEST, {});
  const messages = [];
  let current = null;
  let early = [];
  let earlyUrl = "";
  // Called when there are more headers than one call carries, and for trailers.
  parser[kOnHeaders] = (headers, url) => {
    if (current === null) {
      early = early.concat(headers);
      earlyUrl += url;
    } else current.trailers.push(...headers);
  };
  parser[kOnHeadersComplete] = (major, minor, headers, method, url, _status, _text, upgrade, keepAlive) => {
    current = {
      version: major * 10 + minor,
      method: methods[method],
      target: url === undefined || url === "" ? earlyUrl : url,
      headers: early.concat(headers ?? []),
      trailers: [],
      body: "",
      upgrade: Boolean(upgrade),
      keepAlive,
      complete: false,
    };
    early = [];
    earlyUrl = "";
    messages.push(current);
    return 0;
  };
  parser[kOnBody] = (chunk) => {
    current.body += Buffer.from(chunk).toString("latin1");
  };
  parser[kOnMessageComplete] = () => {
    current.complete = true;
    current = null;
  };
  const result = parser.execute(input);
  const error = result instanceof Error ? result.code : "";
  parser.close();
  return { messages, error };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(ask(Buffer.from(line, "base64")))}\n`);
}
