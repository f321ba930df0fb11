import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HeadraceError } from "../base/errors.ts";
import type { LogRecord } from "../model/log.ts";
import type { MetricFamily } from "../model/metric.ts";
import { mergedMetrics } from "./application-metrics.ts";
import { readSecrets, SecretMask } from "./secrets.ts";

const folder = mkdtempSync(join(tmpdir(), "headrace-secrets-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("secrets", () => {
  test("come from variables and from files, whose last newline is the file's", () => {
    writeFileSync(join(folder, "key"), "two\nlines\n");
    const secrets = {
      A: { store: "env", key: "SOURCE" },
      B: { store: "file", key: "key" },
      C: { store: "file", key: join(folder, "key") },
    } as const;
    expect(readSecrets(secrets, folder, { SOURCE: "one" })).toEqual({
      A: "one",
      B: "two\nlines",
      C: "two\nlines",
    });
  });

  test("that are not there are named by their reference", () => {
    const read = (store: "env" | "file", key: string) => () => readSecrets({ A: { store, key } }, folder, {});
    expect(read("env", "GONE")).toThrow(
      new HeadraceError("secret_missing", "A is secret:env/GONE, and that variable is not set."),
    );
    expect(read("file", "gone")).toThrow("A is secret:file/gone, and the file cannot be read (ENOENT).");
  });

  test("that no variable can hold are refused, and not shown", () => {
    const read = (content: string) => {
      writeFileSync(join(folder, "odd"), content);
      return () => readSecrets({ A: { store: "file", key: "odd" } }, folder, {});
    };
    expect(read("half-of-it\0the-rest")).toThrow(
      new HeadraceError(
        "secret_unusable",
        "A is secret:file/odd, and it holds a NUL byte, which no variable can.",
      ),
    );
    expect(read("x".repeat(102_401))).toThrow("it has 102401 bytes, 102400 are the most.");
    expect(read("x".repeat(102_400))()["A"]).toHaveLength(102_400);
  });

  test("are masked in log lines, in what apps write and in errors, once they are known", async () => {
    const mask = new SecretMask();
    const seen: unknown[] = [];
    const log = mask.log((record) => seen.push(record));
    const output = mask.output((line) => seen.push(line));
    const record: LogRecord = {
      ...{ time: 0, level: "info" as const, event: "x", message: "key correct-horse" },
      fields: { traceback: "KeyError: correct-horse", n: 1 },
    };
    const line = { instance: "i", stream: "stdout", requestId: "", line: "correct-horse" } as const;
    log(record);
    output(line);
    expect(seen.splice(0)).toEqual([record, line]);
    mask.learn(["correct-horse"]);
    log(record);
    output(line);
    expect(seen).toEqual([
      { ...record, message: "key ***", fields: { traceback: "KeyError: ***", n: 1 } },
      { ...line, line: "***" },
    ]);
    const failed = Promise.reject(
      new HeadraceError("app_failed", "correct-horse", { exit: 3, detail: "at correct-horse" }),
    );
    const error = (await mask.errors(failed).catch((error: unknown) => error)) as HeadraceError;
    expect([error.code, error.exit, error.message, error.detail]).toEqual(["app_failed", 3, "***", "at ***"]);
  });
});

test("metrics of services carry their labels, and the gateways' own stand once", () => {
  const family = (name: string, value: number, labels = {}): MetricFamily => ({
    name,
    kind: "counter",
    help: "",
    samples: [{ labels, value }],
  });
  const service = (n: number) => [
    family("headrace_requests_total", n, { code: "200" }),
    family("headrace_client_connections", 0),
    family("headrace_gateway_memory_bytes", 5, { gateway: "1" }),
  ];
  const front = [
    family("headrace_requests_total", 1, { code: "404" }),
    family("headrace_client_connections", 7),
  ];
  const merged = mergedMetrics(front, [
    { labels: { service: "a" }, families: service(2) },
    { labels: { service: "b" }, families: service(3) },
  ]);
  const rows = merged.flatMap(({ name, samples }) =>
    samples.map(({ labels, value }) => [name, labels, value]),
  );
  expect(rows).toEqual([
    ["headrace_requests_total", { code: "404" }, 1],
    ["headrace_requests_total", { service: "a", code: "200" }, 2],
    ["headrace_requests_total", { service: "b", code: "200" }, 3],
    ["headrace_client_connections", {}, 7],
    ["headrace_gateway_memory_bytes", { gateway: "1" }, 5],
  ]);
});
