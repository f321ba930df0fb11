import { expect, test } from "bun:test";
import { appPath } from "./path.ts";

test("the path is what the app sees, however it is written", () => {
  const paths = {
    "/report?a=/b": "/report",
    "/%72eport": "/report",
    "/%52eport": "/Report",
    "/a%2Fb%2fc?%41": "/a/b/c",
    "/gr%C3%B6%C3%9Fe": "/größe",
    "/100%/%zz%4": "/100%/%zz%4",
    "/%2572eport": "/%72eport",
    "http://shop.test/%72eport?x": "/report",
    "HTTPS://shop.test": "/",
    "http://shop.test?x": "/",
    "*": "/",
  };
  for (const [target, path] of Object.entries(paths)) expect(appPath(Buffer.from(target))).toBe(path);
});
