/** Methods that a route or a limit names. Pure. */

/**
 * Whether a request's method is among them; no methods are all. HEAD is GET without the body of the answer (RFC 9110 §9.3.2), so who
 * takes GET takes it.
 */
export function takesMethod(methods: readonly string[], method: string): boolean {
  if (methods.length === 0 || methods.includes(method)) return true;
  return method === "HEAD" && methods.includes("GET");
}

/** For a sort: of two that are alike otherwise, first the one that names more, and HEAD itself before what takes it for GET. */
export function moreMethodsFirst(a: readonly string[], b: readonly string[]): number {
  return (
    Number(b.length > 0) - Number(a.length > 0) || Number(b.includes("HEAD")) - Number(a.includes("HEAD"))
  );
}
