/** The flags of `headrace doctor` on top of those of `headrace run`. Its help and its part of docs/cli.md are made from these rows. */

import { duration, toggle } from "../../config/option.ts";
import { runOptions } from "../../config/options.ts";

export const doctorOptions = {
  threshold: duration({
    flag: "threshold",
    group: "Flags",
    fallback: "0",
    doc: "Imports that take less are left out of the tree. 0: a fiftieth of the whole.",
  }),
  json: toggle({
    flag: "json",
    group: "Flags",
    fallback: false,
    doc: "Prints one JSON object with everything, for programs.",
  }),
} as const;

/** The flags of `headrace run` that have a say in what doctor does. */
export const importOptions = {
  interface: runOptions.interface,
  factory: runOptions.factory,
  target: runOptions.target,
  signatureType: runOptions.signatureType,
  python: runOptions.python,
  appDir: runOptions.appDir,
  env: runOptions.env,
  envFile: runOptions.envFile,
  preload: runOptions.preload,
  workerClass: runOptions.workerClass,
  loop: runOptions.loop,
  startupTimeout: runOptions.startupTimeout,
  reload: runOptions.reload,
} as const;
