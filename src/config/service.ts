/** File and module names that say nothing about the app: the folder's name says more. */
const GENERIC = new Set([
  "main",
  "app",
  "application",
  "asgi",
  "wsgi",
  "server",
  "api",
  "index",
  "__init__",
  "run",
  "function",
]);

/** The app's place without its attribute: `shop/wsgi.py:app` and `shop.wsgi:app` give `shop/wsgi.py` and `shop.wsgi`. */
export function appPlace(app: string): string {
  const colon = app.lastIndexOf(":");
  const attribute = app.slice(colon + 1);
  return colon > 0 && !attribute.includes("/") && !attribute.endsWith(".py") ? app.slice(0, colon) : app;
}

/** Whether an app is named by its file rather than its module. */
export function isFileApp(app: string): boolean {
  const place = appPlace(app);
  return place.endsWith(".py") || place.includes("/");
}

/**
 * A name for the service of an app: the most telling part of its path or module, else its folder's.
 * Lower case letters, digits and dashes, at most 63, as DNS labels are.
 * @param cwd absolute
 */
export function serviceName(app: string, cwd: string): string {
  const place = appPlace(app);
  const parts = isFileApp(app) ? place.replace(/\.py$/, "").split("/") : place.split(".");
  const meaningful = parts.filter((part) => part !== "" && part !== "." && part !== "..");
  const own = meaningful.findLast((part) => !GENERIC.has(part));
  const folder = cwd.split("/").findLast((part) => part !== "");
  for (const name of [own, folder, meaningful.at(-1)]) {
    const label = dnsLabel(name ?? "");
    if (label !== "") return label;
  }
  return "app";
}

/** What is left of a text as a DNS label, perhaps nothing. */
export function dnsLabel(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
}

/** The name of a revision among those of its service. */
export function revisionName(number: number): string {
  return `rev-${number}`;
}

/** The number of a revision by its name (`rev-7`), or null when it is none. */
export function revisionNumber(name: string): number | null {
  return /^rev-[1-9]\d{0,8}$/.test(name) ? Number(name.slice("rev-".length)) : null;
}
