import { describe, expect, test } from "bun:test";
import { requestHead } from "../../../test/helpers/gateway.ts";
import { joinPairs } from "../../protocol/fields.ts";
import { type RequestHead, Seen } from "../client.ts";
import { locationOf, rewrittenTarget } from "./rewrite.ts";
import { type Route, Router, wantedBy } from "./router.ts";
import { Split } from "./split.ts";

function head(target: string, host = "", more: Record<string, string> = {}, method = "GET"): RequestHead {
  const pairs: [string, string][] = [
    ...(host === "" ? [] : [["host", host] as [string, string]]),
    ...Object.entries(more),
  ];
  return requestHead({
    method,
    target: Buffer.from(target, "latin1"),
    fields: joinPairs(pairs),
    seen: host === "" ? 0 : Seen.HOST,
  });
}

/** `GET,POST *.a.test/x if h: v` */
function route(text: string): Route {
  const match = /^(?:([A-Z,]+) )?([^/ ]*)(\/\S*)(?: if (.*))?$/.exec(text)!;
  const headers = (match[4] ?? "").split(" and ").filter((entry) => entry !== "");
  return {
    methods: match[1]?.split(",") ?? [],
    host: match[2]!,
    path: match[3]!,
    headers: headers.map((entry) => {
      const [name, value] = entry.split(": ");
      return { name: name!, value: value ?? null };
    }),
  };
}

const router = (...texts: string[]) => new Router(texts.map((text) => ({ route: route(text), to: text })));

describe("a router", () => {
  test("takes the longest path, by whole segments", () => {
    const routes = router("/", "/api", "/api/users");
    const found = (target: string) => routes.find(head(target));
    expect(found("/")).toBe("/");
    expect(found("/api")).toBe("/api");
    expect(found("/api/")).toBe("/api");
    expect(found("/api?x=/api/users")).toBe("/api");
    expect(found("/apis")).toBe("/");
    expect(found("/api/users/7?q")).toBe("/api/users");
    expect(found("/api/userspace")).toBe("/api");
  });

  test("takes an exact host before one below, that before none, and the longest of those", () => {
    const routes = router("/", "*.test/", "*.shop.test/", "shop.test/", "a.shop.test/x");
    const found = (host: string, target = "/") => routes.find(head(target, host));
    expect(found("shop.test")).toBe("shop.test/");
    expect(found("SHOP.test:8080")).toBe("shop.test/");
    expect(found("b.shop.test")).toBe("*.shop.test/");
    expect(found("c.test")).toBe("*.test/");
    expect(found("test")).toBe("/");
    expect(found("else.where")).toBe("/");
    expect(found("")).toBe("/");
    // The exact host has no route for it: the next best has.
    expect(found("a.shop.test", "/x/1")).toBe("a.shop.test/x");
    expect(found("a.shop.test", "/y")).toBe("*.shop.test/");
    expect(found("[::1]:80")).toBe("/");
  });

  test("looks at methods and headers where paths are alike", () => {
    const routes = router("/x", "POST,PUT /x", "/x if x-beta: yes", "/x if x-beta: yes and x-who", "/x/y");
    const found = (method: string, more: Record<string, string> = {}) =>
      routes.find(head("/x", "", more, method));
    expect(found("GET")).toBe("/x");
    expect(found("PUT")).toBe("POST,PUT /x");
    expect(found("GET", { "x-beta": "yes" })).toBe("/x if x-beta: yes");
    expect(found("GET", { "x-beta": "no" })).toBe("/x");
    expect(found("GET", { "x-beta": "yes", "x-who": "me" })).toBe("/x if x-beta: yes and x-who");
  });

  test("finds nothing where nothing fits", () => {
    const routes = router("a.test/", "GET b.test/x");
    expect(routes.find(head("/", "c.test"))).toBeUndefined();
    expect(routes.find(head("/x", "b.test", {}, "POST"))).toBeUndefined();
    expect(new Router<string>([]).find(head("/"))).toBeUndefined();
  });

  test("of one that takes everything takes everything", () => {
    expect(router("/").find(head("*", "", {}, "OPTIONS"))).toBe("/");
  });
});

test("an absolute target brings its own host; an asterisk is the root", () => {
  expect(wantedBy(head("http://B.test:81/x?y", "a.test"))).toEqual({
    host: "b.test",
    path: "/x",
    start: 16,
    end: 18,
  });
  expect(wantedBy(head("http://b.test", ""))).toMatchObject({ host: "b.test", path: "/" });
  expect(wantedBy(head("*", "a.test"))).toMatchObject({ host: "a.test", path: "/" });
});

describe("a prefix", () => {
  const made = (target: string, prefix: string, by: string) =>
    Buffer.from(rewrittenTarget(head(target), { prefix, by })).toString("latin1");

  test("is taken away", () => {
    expect(made("/api/users?q=1", "/api", "")).toBe("/users?q=1");
    expect(made("/api", "/api", "")).toBe("/");
    expect(made("/api?q", "/api", "")).toBe("/?q");
    expect(made("/api/%2e%2e//x", "/api", "")).toBe("/%2e%2e//x");
    expect(made("http://a.test/api/x", "/api", "")).toBe("http://a.test/x");
  });

  test("is replaced", () => {
    expect(made("/api/users", "/api", "/v2")).toBe("/v2/users");
    expect(made("/api", "/api", "/v2")).toBe("/v2");
    expect(made("/users?q", "/", "/v2")).toBe("/v2/users?q");
    expect(made("/api/users", "/api", "/")).toBe("/users");
  });
});

test("a redirect keeps what follows where it ends with /*, and never leads to another host by two slashes", () => {
  const to = (target: string, path: string, location: string) =>
    locationOf(head(target), { path, to: location });
  expect(to("/old/a?b=1", "/old", "/new")).toBe("/new?b=1");
  expect(to("/old/a/b?c", "/old", "/new/*")).toBe("/new/a/b?c");
  expect(to("/old", "/old", "https://a.test/*")).toBe("https://a.test/");
  expect(to("/old//evil.test/", "/old", "/*")).toBe("/evil.test/");
  expect(to("/x?b", "/", "/y?a")).toBe("/y?a");
});

describe("a split", () => {
  test("is exact by weight, and evenly mixed", () => {
    const split = new Split([
      { to: "a", weight: 90 },
      { to: "b", weight: 9 },
      { to: "c", weight: 1 },
      { to: "never", weight: 0 },
    ]);
    const counts: Record<string, number> = {};
    let gap = 0;
    let since = 0;
    for (let i = 0; i < 10_000; i++) {
      const to = split.next();
      counts[to] = (counts[to] ?? 0) + 1;
      since = to === "b" ? 0 : since + 1;
      gap = Math.max(gap, since);
    }
    expect(counts).toEqual({ a: 9_000, b: 900, c: 100 });
    expect(gap).toBeLessThan(2 * (100 / 9));
  });

  test("by key is steady, near the weights, and moves no more keys than it must", () => {
    const at = (b: number) =>
      new Split([
        { to: "a", weight: 100 - b },
        { to: "b", weight: b },
      ]);
    const keys = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);
    const [ten, twenty] = [at(10), at(20)];
    const inTen = keys.filter((key) => ten.of(key) === "b");
    expect(inTen.length / keys.length).toBeGreaterThan(0.09);
    expect(inTen.length / keys.length).toBeLessThan(0.11);
    expect(inTen.every((key) => ten.of(key) === "b" && twenty.of(key) === "b")).toBe(true);
  });

  test("without any weight is refused", () => {
    expect(() => new Split([{ to: "a", weight: 0 }])).toThrow(RangeError);
  });
});
