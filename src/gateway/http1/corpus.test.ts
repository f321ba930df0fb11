import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Sample, said, samples } from "./testing/corpus.ts";
import { Harness } from "./testing/harness.ts";

setDefaultTimeout(60_000);

/** All cuts of a short request; of a long one those near its borders and some between. */
function cuts(length: number): number[] {
  const all = Array.from({ length: length - 1 }, (_, i) => i + 1);
  const border = length <= 20_000 ? 40 : 4;
  return length <= 400
    ? all
    : all.filter((at) => at < border || at > length - border || at % (length <= 20_000 ? 997 : 9973) === 0);
}

function checkRefused(harness: Harness, sample: Sample): void {
  const status = Number(said(sample, "status"));
  expect(harness.statuses.at(-1)).toBe(status);
  expect(harness.output).toContain(`headrace-reason: ${said(sample, "code")}\r\n`);
  expect(harness.output).toContain("connection: close");
  expect(harness.transport.end_).toBe("end");
}

function checkServed(harness: Harness, sample: Sample): void {
  expect(harness.refusals).toEqual([]);
  expect(harness.requests.length).toBe(Number(said(sample, "count") ?? 1));
  const { request } = harness;
  const { says } = sample;
  if (says.has("method")) expect(request.head.method).toBe(said(sample, "method")!);
  if (says.has("target")) expect(request.target).toBe(said(sample, "target")!);
  if (says.has("version")) expect(request.head.version).toBe(Number(said(sample, "version")) as 10 | 11);
  if (says.has("websocket")) expect(request.head.websocket).toBe(said(sample, "websocket") === "true");
  if (says.has("body")) expect(request.text).toBe(said(sample, "body")!);
  if (says.has("count-fields")) expect(request.fields).toEqual([...(says.get("field") ?? [])]);
  expect(request.complete).toBe(true);
}

describe("requests that are refused", () => {
  for (const sample of samples("invalid")) {
    test(sample.name, () => {
      checkRefused(new Harness().send(sample.bytes), sample);
      for (const cut of cuts(sample.bytes.length)) {
        checkRefused(new Harness().sendSplit(sample.bytes, cut), sample);
      }
    });
  }
});

describe("requests that are served", () => {
  for (const sample of samples("valid")) {
    test(sample.name, () => {
      checkServed(new Harness().send(sample.bytes), sample);
      for (const cut of cuts(sample.bytes.length))
        checkServed(new Harness().sendSplit(sample.bytes, cut), sample);
      const everywhere = cuts(sample.bytes.length);
      checkServed(new Harness().sendSplit(sample.bytes, ...everywhere), sample);
    });
  }
});
