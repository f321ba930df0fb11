import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { matchPath, type Route } from "./route.ts";
import { routes } from "./routes.ts";

test("parts of a path", () => {
  expect(matchPath("/v1/a", "/v1/a")).toEqual({});
  expect(matchPath("/v1/{name}/x", "/v1/a%20b/x")).toEqual({ name: "a b" });
  for (const path of ["/v1", "/v1/a/", "/v1/a/x/y", "/v1//x", "/v1/%ff/x", "/v1/a/y"])
    expect([path, matchPath("/v1/{name}/x", path)]).toEqual([path, null]);
});

test("every part in braces is explained, and nothing else is", () => {
  for (const route of Object.values<Route>(routes)) {
    const parts = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    expect([route.path, Object.keys(route.params ?? {})]).toEqual([route.path, parts]);
  }
});

test("no two routes are one", () => {
  const all = Object.values<Route>(routes).map(
    ({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, "*")}`,
  );
  expect(all.filter((one, index) => all.indexOf(one) !== index)).toEqual([]);
});

test("paths stand in the table of routes and nowhere else in this room", () => {
  const found = [...new Bun.Glob("*.ts").scanSync({ cwd: import.meta.dir })]
    .filter((name) => !name.endsWith(".test.ts") && name !== "routes.ts")
    .filter((name) =>
      /["`]\/(v1\/\w|healthz|readyz|metrics)/.test(readFileSync(join(import.meta.dir, name), "utf8")),
    );
  expect(found).toEqual([]);
});
