import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceConfig } from "../../config/file/config.ts";
import { application } from "../../config/file/keys.ts";
import { readFile } from "../../config/file/load.ts";
import { isUnchanged, type RevisionRecord, revisionConfig, sharedOptions } from "./record.ts";

const folder = mkdtempSync(join(tmpdir(), "headrace-record-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ["main.py", "token"]) writeFileSync(join(folder, name), "");

/** Everything that the file says of the application, and not as it is by itself. */
const OTHERWISE = {
  listen: { host: "127.0.0.2", port: 9, http2: false, trustedProxies: ["10.0.0.0/8"] },
  gateways: 7,
  limits: {
    ...{
      requestLine: "9KiB",
      headerSize: "9KiB",
      headers: 9,
      body: "9KiB",
      headerTimeout: "9s",
      bodyTimeout: "9s",
    },
    ...{ sendTimeout: "9s", idleTimeout: "9s", wsMaxSize: "9KiB", wsPingInterval: "9s", wsPingTimeout: "9s" },
    wsDeflate: false,
  },
  logs: { access: "text", level: "debug", format: "text", keep: "9MiB" },
  admin: { enabled: false, host: "127.0.0.2", port: 9, listen: ["127.0.0.3:9"], tokenFile: "token" },
};
/** They need files, or stand in the place of others. */
const ELSEWHERE = ["listen.uds", "listen.tlsCert", "listen.tlsKey"];

function service(more: object): ServiceConfig {
  const source = JSON.stringify({ name: "shop", services: { api: { app: "main.py" } }, ...more });
  const facts = {
    cwd: folder,
    cores: 2,
    sharesPorts: true,
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
  };
  const loaded = readFile(source, join(folder, "headrace.yaml"), {}, facts);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems, null, 1));
  return loaded.application.services[0]!;
}

test("nothing that the file says of the whole application is a revision's own", () => {
  const paths = Object.entries(application.keys).flatMap(([key, { shape }]) => {
    if (["name", "services", "redirects"].includes(key)) return [];
    return shape.kind === "map" ? Object.keys(shape.keys).map((name) => `${key}.${name}`) : [key];
  });
  const said = Object.entries(OTHERWISE).flatMap(([key, value]) =>
    typeof value === "object" ? Object.keys(value).map((name) => `${key}.${name}`) : [key],
  );
  expect([...said, ...ELSEWHERE].sort()).toEqual(paths.sort());
  const [plain, otherwise] = [service({}), service(OTHERWISE)];
  expect(revisionConfig(otherwise)).toEqual(revisionConfig(plain));
  const same = Object.entries(sharedOptions(plain.run)).filter(([key, value]) =>
    Bun.deepEquals(value, otherwise.run[key as keyof typeof otherwise.run]),
  );
  expect(same.map(([key]) => key).sort()).toEqual([
    "reload",
    "reloadDirs",
    "reloadInclude",
    "tlsCert",
    "tlsKey",
    "uds",
  ]);
});

test("a record that was written when an option was not shared yet is the same without it", () => {
  const plain = service({});
  const record = {
    ...{ number: 1, createdAt: 1, madeBy: null, secrets: {}, code: "" },
    config: { ...revisionConfig(plain), logKeep: 1 },
  } as RevisionRecord;
  expect(isUnchanged(record, plain)).toBe(true);
  expect(isUnchanged(record, service({ services: { api: { app: "main.py", concurrency: 9 } } }))).toBe(false);
});
