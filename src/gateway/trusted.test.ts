import { describe, expect, test } from "bun:test";
import { forwarding, TrustedProxies } from "./trusted.ts";

const trusted = new TrustedProxies(["127.0.0.1", "::1", "10.0.0.0/8", "2001:db8::/32"]);

describe("trusted peers", () => {
  test.each([
    ["127.0.0.1", true],
    ["127.0.0.2", false],
    ["10.9.8.7", true],
    ["::ffff:10.9.8.7", true],
    ["11.0.0.1", false],
    ["2001:db8::5", true],
    ["2001:db9::5", false],
    ["", false],
    ["nonsense", false],
  ])("%s: %p", (host, expected) => {
    expect(trusted.has(host)).toBe(expected);
    expect(trusted.has(host)).toBe(expected);
  });
  test("* is everybody, unix is Unix sockets", () => {
    expect([new TrustedProxies(["*"]).has("1.2.3.4"), new TrustedProxies(["*"]).has("")]).toEqual([
      true,
      true,
    ]);
    expect([new TrustedProxies(["unix"]).has(""), new TrustedProxies(["unix"]).has("::1")]).toEqual([
      true,
      false,
    ]);
  });
  test.each(["10.0.0.0/33", "10.0.0", "example.com", "::1/129", "1.2.3.4/8/8", "1.2.3.4/"])(
    "%s is refused",
    (entry) => {
      expect(() => new TrustedProxies([entry])).toThrow(RangeError);
    },
  );
});

describe("what a trusted proxy says", () => {
  const of = (headers: { forwarded?: string; xFor?: string; xProto?: string }) =>
    forwarding({ forwarded: undefined, xFor: undefined, xProto: undefined, ...headers }, trusted);

  test.each([
    ["one client", { xFor: "1.2.3.4" }, "1.2.3.4", 0],
    ["a port", { xFor: "1.2.3.4:567" }, "1.2.3.4", 567],
    ["IPv6", { xFor: "2001:dead::1" }, "2001:dead::1", 0],
    ["IPv6 with port", { xFor: "[2001:dead::1]:80" }, "2001:dead::1", 80],
    ["trusted hops are walked through", { xFor: "1.2.3.4, 10.0.0.1, 10.0.0.2" }, "1.2.3.4", 0],
    ["a spoofed left end is not believed", { xFor: "6.6.6.6, 1.2.3.4, 10.0.0.2" }, "1.2.3.4", 0],
    ["all trusted: the leftmost", { xFor: "10.0.0.3, 10.0.0.2" }, "10.0.0.3", 0],
    ["an unreadable hop ends it", { xFor: "1.2.3.4, unknown, 10.0.0.2" }, "10.0.0.2", 0],
    ["nothing readable", { xFor: "unknown" }, undefined, 0],
    ["Forwarded", { forwarded: 'for="[2001:dead::1]:4711";proto=https' }, "2001:dead::1", 4711],
    ["Forwarded, several", { forwarded: "for=1.2.3.4;proto=https, for=10.1.1.1" }, "1.2.3.4", 0],
    ["Forwarded wins", { forwarded: "for=1.2.3.4", xFor: "5.6.7.8" }, "1.2.3.4", 0],
    ["quoted commas", { forwarded: 'for=1.2.3.4;by="a,b"' }, "1.2.3.4", 0],
  ])("%s", (_name, headers, host, port) => {
    expect([of(headers).host, of(headers).port]).toEqual([host as string, port]);
  });

  test.each([
    ["https", { xProto: "https" }, true],
    ["http", { xProto: "http" }, false],
    ["wss", { xProto: "wss" }, true],
    ["the client's hop counts", { xFor: "1.2.3.4, 10.0.0.1", xProto: "https, http" }, true],
    ["one proto for all hops", { xFor: "1.2.3.4, 10.0.0.1", xProto: "https" }, true],
    ["Forwarded", { forwarded: "for=1.2.3.4;proto=HTTPS" }, true],
    ["nonsense", { xProto: "gopher" }, undefined],
    ["nothing", {}, undefined],
  ])("scheme: %s", (_name, headers, secure) => {
    expect(of(headers).secure).toBe(secure as boolean);
  });
});
