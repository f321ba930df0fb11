/** The flags of `headrace up`. */

import { text, toggle } from "../../config/option.ts";
import { fileOption } from "./check-options.ts";

export const upOptions = {
  file: fileOption,
  watch: toggle({
    flag: "watch",
    group: "File",
    fallback: false,
    doc: "Applies the file when it changes, and loads a service anew when its Python files do. No request is lost.",
  }),
  fresh: toggle({
    flag: "fresh",
    group: "File",
    fallback: false,
    doc: "Begins with a new revision of every service, which gets all requests; tags and shadows are taken away.",
  }),
  stateDir: text({
    flag: "state-dir",
    group: "File",
    placeholder: "DIR",
    doc: "Where revisions, their code and the traffic are kept, so that they outlive a restart. Default: a folder of the application's own in $XDG_STATE_HOME/headrace, else in ~/.local/state/headrace.",
  }),
} as const;
