/**
 * Time to parse one request head, in nanoseconds: `bun bench/http1_parser.ts`. Best of several rounds, because what else runs on the machine
 * only ever adds to it.
 */
import { HeadParser } from "../src/gateway/http1/parser.ts";
import { Parsed } from "../src/gateway/http1/request-line.ts";

const REQUESTS: Readonly<Record<string, string>> = {
  "wrk (1 header)": "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
  "API call (6 headers)":
    "POST /v1/orders?dry=1 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: python-httpx/0.28\r\nAccept: application/json\r\n" +
    "Content-Type: application/json\r\nContent-Length: 128\r\nX-Request-Id: 0b1f7a2c-3d4e-4f60\r\n\r\n",
  "browser (12 headers)":
    "GET /articles/2026/11/the-mill-wheel?ref=home&page=2 HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n" +
    'sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"\r\nsec-ch-ua-mobile: ?0\r\nUpgrade-Insecure-Requests: 1\r\n' +
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n" +
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nReferer: https://www.example.com/articles\r\n" +
    "Accept-Encoding: gzip, deflate, br, zstd\r\nCookie: session=7f3c9a1e5b8d2046; theme=dark; consent=1\r\n\r\n",
};
const WARM_UP = 200_000;
const ROUNDS = 20;
const CALLS = 50_000;

function measure(text: string): number {
  const parser = new HeadParser(
    { requestLine: 8192, headerBytes: 65_536, headerCount: 100, bodyBytes: 1_000_000 },
    true,
  );
  const bytes = Uint8Array.from(Buffer.from(text, "latin1"));
  const run = (calls: number): void => {
    for (let i = 0; i < calls; i++) {
      if (parser.parse(bytes, 0, bytes.length) !== Parsed.COMPLETE) throw new Error(parser.error.code);
    }
  };
  run(WARM_UP);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = Bun.nanoseconds();
    run(CALLS);
    best = Math.min(best, (Bun.nanoseconds() - start) / CALLS);
  }
  return best;
}

for (const [name, text] of Object.entries(REQUESTS)) {
  process.stdout.write(
    `${name.padEnd(24)} ${text.length.toString().padStart(5)} B ${measure(text).toFixed(0).padStart(6)} ns\n`,
  );
}
