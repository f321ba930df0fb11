/** The flags of the commands that read headrace.yaml. */

import { text, toggle } from "../../config/option.ts";

export const fileOption = text({
  flag: "file",
  short: "f",
  group: "File",
  placeholder: "PATH",
  doc: "The file to read. Default: headrace.yaml or headrace.yml in the working directory.",
});

export const checkOptions = {
  file: fileOption,
  json: toggle({
    flag: "json",
    group: "File",
    fallback: false,
    doc: "Prints what is wrong, or what the file says, as JSON.",
  }),
} as const;
