/** The flags of `headrace up`. */

import { toggle } from "../../config/option.ts";
import { fileOption } from "./check-options.ts";

export const upOptions = {
  file: fileOption,
  watch: toggle({
    flag: "watch",
    group: "File",
    fallback: false,
    doc: "Applies the file when it changes, and loads a service anew when its Python files do. No request is lost.",
  }),
} as const;
