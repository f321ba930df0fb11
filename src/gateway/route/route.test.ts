import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requestHead } from "../../../test/helpers/gateway.ts";
import { joinPairs } from "../../protocol/fields.ts";
import { type RequestHead, Seen } from "../client.ts";
import type { Core } from "../core.ts";
import { Entrance } from "./entrance.ts";
import { locationOf, rewrittenTarget } from "./rewrite.ts";
import { type Route, Router, wantedBy } from "./router.ts";
import { Split } from "./split.ts";
import { createTurnsFile, TurnsFile } from "./turns.ts";

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
    // A host with the root's dot is the same host (RFC 1034 §3.1).
    expect(found("shop.test.")).toBe("shop.test/");
    expect(found("b.shop.test.:8080")).toBe("*.shop.test/");
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

  test("takes HEAD for GET, unless a route says HEAD itself", () => {
    const routes = router("GET /x", "HEAD /x", "GET,POST /y");
    const found = (method: string, path: string) => routes.find(head(path, "", {}, method));
    expect(found("GET", "/x")).toBe("GET /x");
    expect(found("HEAD", "/x")).toBe("HEAD /x");
    expect(found("HEAD", "/y")).toBe("GET,POST /y");
    expect(router("POST /z").find(head("/z", "", {}, "HEAD"))).toBeUndefined();
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
  const share = (to: string, weight: number) => ({ to, name: to, weight });

  test("is exact by weight, and evenly mixed", () => {
    const split = new Split([share("a", 90), share("b", 9), share("c", 1), share("never", 0)]);
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

  test("is exact over all gateways that share the turns", () => {
    const folder = mkdtempSync(join(tmpdir(), "headrace-turns-"));
    const path = join(folder, "turns");
    createTurnsFile(path);
    const counts: Record<string, number> = {};
    const gateways = [1, 2, 3].map(() => {
      return new Split([share("a", 57), share("b", 33), share("c", 10)], new TurnsFile(path).of(7));
    });
    const others = new Split([share("x", 50), share("y", 50)], new TurnsFile(path).of(8));
    for (let i = 0; i < 1_000; i++) {
      // Unevenly, as connections fall to processes.
      const to = gateways[i % 7 === 0 ? 1 : i % 11 === 0 ? 2 : 0]!.next();
      counts[to] = (counts[to] ?? 0) + 1;
      others.next();
    }
    expect(counts).toEqual({ a: 570, b: 330, c: 100 });
    rmSync(folder, { recursive: true });
  });

  test("by key is steady and near the weights, and only keys move that must", () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);
    const at = (...weights: readonly number[]) =>
      new Split(weights.map((weight, i) => share(`rev-${i}`, weight)));
    const moved = (before: Split<string>, after: Split<string>) =>
      keys.filter((key) => before.of(key) !== after.of(key));
    const part = (split: Split<string>, name: string) =>
      keys.filter((key) => split.of(key) === name).length / keys.length;
    const near = (value: number, wanted: number) => {
      expect(value).toBeGreaterThan(wanted - 0.012);
      expect(value).toBeLessThan(wanted + 0.012);
    };
    const before = at(60, 30, 10);
    expect(keys.map((key) => before.of(key))).toEqual(keys.map((key) => at(60, 30, 10).of(key)));
    for (const [i, share] of [0.6, 0.3, 0.1].entries()) near(part(before, `rev-${i}`), share);
    // One rises, the others keep theirs in proportion: whoever moves goes there.
    const after = at(42, 21, 37);
    const gone = moved(before, after);
    expect(gone.every((key) => after.of(key) === "rev-2")).toBe(true);
    near(gone.length / keys.length, 0.27);
    // One goes: its keys are shared out, the others stay.
    const without = at(60, 0, 10);
    expect(moved(before, without).every((key) => before.of(key) === "rev-1")).toBe(true);
    // The order in which they are named says nothing.
    const other = new Split([share("rev-2", 10), share("rev-0", 60), share("rev-1", 30)]);
    expect(moved(before, other)).toEqual([]);
  });

  test("without any weight is refused", () => {
    expect(() => new Split([share("a", 0)])).toThrow(RangeError);
  });
});

describe("an entrance", () => {
  const core = (revision: string) => ({ settings: { revision } }) as unknown as Core;
  const cores = new Map(["a-1", "a-2", "b-1"].map((key) => [key, core(key)]));
  const everything = { ...route("/"), strip: false, rewrite: "" };
  const service = (name: string, path: string, tags: Readonly<Record<string, string>>) => ({
    service: name,
    routes: [{ ...everything, path, host: "shop.test" }],
    split: [{ key: `${name}-1`, weight: 100 }],
    splitBy: null,
    shadow: null,
    stopped: false,
    tags: Object.entries(tags).map(([tag, key]) => ({ tag, key })),
  });
  const entrance = new Entrance();
  entrance.set(
    {
      redirects: [{ host: "shop.test", path: "/old", to: "/new", status: 308 }],
      services: [
        service("a", "/a", { blue: "a-2" }),
        service("b", "/b", {}),
        service("gone", "/c", {}),
        { ...service("off", "/b/off", {}), stopped: true, split: [] },
      ],
    },
    cores,
  );
  const to = (host: string, target: string) => {
    const found = entrance.find(head(target, host));
    return found?.kind === "service" ? found.split.next().settings.revision : found?.kind;
  };

  test("leads to a tag's revision by the host that the tag stands before", () => {
    expect(to("shop.test", "/a/x")).toBe("a-1");
    expect(to("blue---shop.test", "/a/x")).toBe("a-2");
    expect(to("BLUE---shop.test:8080", "/a")).toBe("a-2");
    expect(to("", "http://blue---shop.test/a")).toBe("a-2");
    // The rest of the route holds, and a service without the tag is not meant.
    expect(to("blue---else.test", "/a")).toBeUndefined();
    expect(to("blue---shop.test", "/b")).toBeUndefined();
    expect(to("blue---shop.test", "/old")).toBe("redirect");
    // No tag of any service: a host like any other.
    expect(to("green---shop.test", "/a")).toBeUndefined();
    expect(to("---shop.test", "/a")).toBeUndefined();
  });

  test("keeps the routes of a service that is stopped", () => {
    expect(to("shop.test", "/b/off/x")).toBe("stopped");
    expect(to("blue---shop.test", "/b/off/x")).toBe("stopped");
    expect(to("shop.test", "/b")).toBe("b-1");
    expect(entrance.service("off")?.kind).toBe("stopped");
  });

  test("leaves out what no gateway knows", () => {
    expect(to("shop.test", "/c")).toBeUndefined();
  });
});
