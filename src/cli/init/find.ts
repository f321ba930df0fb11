/** Looks at a project: which files say how it is served, and what they come to. */

import { type Scan, scanProject } from "../../platform/project-scan.ts";
import { readAppEngine, readCloudRun } from "./clouds.ts";
import { readDockerfile } from "./dockerfile.ts";
import { makePlan, type Plan } from "./plan.ts";
import { readProcfile, type Source } from "./procfile.ts";
import { folderOf, joined, nameOf, type Project, readProject } from "./project.ts";
import { readCommand, type Setting } from "./servers.ts";

export interface Found {
  readonly plan: Plan;
  readonly project: Project;
}

/**
 * Reads a folder. Nothing of the project is run or imported.
 * @throws HeadraceError when there is no Python to read it with
 */
export async function findServices(
  root: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Found> {
  const project = readProject(root);
  const modules = project.files.filter((path) => path.endsWith(".py") && mayServe(path));
  const settings = project.files.filter((path) => /^gunicorn.*\.py$/.test(nameOf(path)));
  const scan = await scanProject(
    root,
    { modules: modules.filter((path) => !settings.includes(path)), settings },
    env,
  );
  const { sources, left } = readSources(project, scan);
  const cut = project.cut ? ["There are more files than were looked at."] : [];
  return { plan: makePlan(project, scan, sources, [...left, ...cut]), project };
}

/** Tests may make apps of their own. */
function mayServe(path: string): boolean {
  return !/(^|\/)(tests?|conftest|setup|noxfile|fabfile)(\/|\.py$|_)|_test\.py$/.test(path);
}

/** What the files say, strongest first: what deploys before what builds, before what only configures. */
function readSources(
  project: Project,
  scan: Scan,
): { readonly sources: readonly Source[]; readonly left: readonly string[] } {
  const base: Setting = {
    ...{ from: "", folder: "", variables: {} },
    gunicornConf: (path) => scan.settings[path],
  };
  const named = (pattern: RegExp) => project.files.filter((path) => pattern.test(nameOf(path)));
  const left: string[] = [];
  const clouds = named(/\.ya?ml$/).filter((path) => !/^headrace\.ya?ml$/.test(nameOf(path)));
  const sources: Source[] = clouds.flatMap((path) => readCloudRun(path, project, base));
  for (const path of named(/^Procfile$/)) {
    const folder = folderOf(path);
    const read = readProcfile(project.text(path), { ...base, from: path, folder });
    sources.push(...read.sources);
    left.push(...read.left);
  }
  for (const path of named(/^((.*\.)?Dockerfile|Containerfile)$/)) {
    const read = readDockerfile(path, project, base);
    if (read !== null) sources.push(read);
  }
  for (const path of clouds) {
    const read = readAppEngine(path, project, base);
    if (read !== null) sources.push(read);
  }
  // Nobody says how gunicorn is started, but its file is there.
  for (const path of named(/^gunicorn\.conf\.py$/)) {
    const used = sources.some(({ command }) => command?.program === "gunicorn");
    if (!used) sources.push(...gunicornAlone(path, base));
  }
  for (const path of named(/^(uwsgi\.ini|hypercorn\.toml|supervisord?\.conf)$/))
    left.push(`${path} was not read.`);
  for (const path of named(/^(docker-)?compose\.ya?ml$/))
    left.push(`${path} was not read: databases and queues run beside Headrace.`);
  return { sources, left };
}

function gunicornAlone(path: string, base: Setting): readonly Source[] {
  const folder = folderOf(path);
  const command = readCommand({ env: {}, words: ["gunicorn"] }, { ...base, from: path, folder });
  if (command === null) return [];
  return [{ sketch: command.draft.sketch({ name: "", folder: joined(folder), from: path }), command }];
}
