import type { Problem } from "../problem.ts";
import type { Place } from "./node.ts";

/** One thing that is wrong in headrace.yaml. `subject` is its path again, for those who show problems of any kind. */
export interface FileProblem extends Problem {
  /** `services.api.scale.min`; empty for the file as a whole. */
  readonly path: string;
  readonly place: Place;
}

/** Makes one whose subject is its path. */
export function fileProblem(
  at: { readonly path: string; readonly place: Place },
  code: Problem["code"],
  message: string,
  instead: string,
): FileProblem {
  return { code, subject: at.path, path: at.path, place: at.place, message, instead };
}
