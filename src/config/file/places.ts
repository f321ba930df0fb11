/** Where problems stand that are found after a file was read. Pure. */

import type { Problem } from "../problem.ts";
import type { ServiceDraft } from "./build.ts";
import type { Read } from "./check.ts";
import type { Place } from "./node.ts";
import { type FileProblem, fileProblem } from "./problem.ts";
import { keyOfFlag } from "./translate.ts";
import { asWritten, type Reference } from "./variables.ts";

const TOP: Place = { line: 1, column: 1 };

/** Makes a problem that stands at the first of the paths that is in the file. It shows references as they are written. */
export type ProblemAt = (
  paths: readonly string[],
  code: Problem["code"],
  message: string,
  instead: string,
) => FileProblem;

/** The places of all that a file says. */
export class Places {
  readonly #places = new Map<string, Place>();
  readonly #references: readonly Reference[];

  /** @param root null: nothing could be read */
  constructor(root: Read | null, references: readonly Reference[]) {
    this.#references = references;
    if (root !== null) this.#note(root);
  }

  #note(read: Read): void {
    this.#places.set(read.path, read.place);
    if (read.kind === "list") for (const item of read.items) this.#note(item);
    if (read.kind === "map") for (const each of read.keys.values()) this.#note(each);
  }

  readonly at: ProblemAt = (paths, code, message, instead) => {
    const path = paths.find((one) => this.#places.has(one)) ?? "";
    const place = this.#places.get(path) ?? TOP;
    return this.written(fileProblem({ path, place }, code, message, instead));
  };

  /** What a variable holds may be nobody's business. */
  readonly written = (problem: FileProblem): FileProblem => ({
    ...problem,
    message: asWritten(problem.message, this.#references),
    instead: asWritten(problem.instead, this.#references),
  });

  /** One of a variable that stands in no file. */
  ofVariable({ subject, code, message, instead }: Problem): FileProblem {
    return this.at([], code, `${subject}: ${message}`, instead);
  }

  /** Problems that speak of flags become problems that speak of keys. */
  *all(problems: readonly Problem[], service: ServiceDraft): Generator<FileProblem> {
    const app = service.read.keys.get("app") ?? service.read.keys.get("function");
    for (const { subject, code, message, instead } of problems) {
      if (subject.startsWith("$")) {
        yield this.ofVariable({ subject, code, message: keyOfFlag(message), instead: keyOfFlag(instead) });
        continue;
      }
      const paths = [subject, app?.path ?? "", service.read.path].filter((path) => path !== "");
      yield this.at(paths, code, keyOfFlag(message), keyOfFlag(instead));
    }
  }
}

/** As they stand in the file. */
export function inOrder(problems: readonly FileProblem[]): FileProblem[] {
  return [...problems].sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}
