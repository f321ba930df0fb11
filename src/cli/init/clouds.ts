/** Cloud Run's service.yaml and App Engine's app.yaml. Pure, but for the reading of YAML. */

import { parseAllDocuments } from "yaml";
import { serverOf } from "./procfile.ts";
import { folderOf, type Project } from "./project.ts";
import { readCommand, type ServerCommand, type Setting } from "./servers.ts";
import { Draft, type Sketch } from "./sketch.ts";

type Data = Readonly<Record<string, unknown>>;

export interface CloudSource {
  readonly sketch: Sketch;
  readonly command: ServerCommand | null;
}

const isData = (value: unknown): value is Data =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((here, key) => (isData(here) ? here[key] : undefined), value);
const listAt = (value: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};
const textAt = (value: unknown, ...path: readonly string[]): string => {
  const found = at(value, ...path);
  return typeof found === "string" || typeof found === "number" || typeof found === "boolean"
    ? String(found)
    : "";
};

function documents(text: string): readonly Data[] {
  const found = parseAllDocuments(text);
  if (!Array.isArray(found)) return [];
  return found.flatMap((document) => {
    const value: unknown = document.errors.length > 0 ? null : document.toJS();
    return isData(value) ? [value] : [];
  });
}

/** The Cloud Run (Knative) services that a YAML file describes; none when it is about something else. */
export function readCloudRun(path: string, project: Project, base: Setting): readonly CloudSource[] {
  return documents(project.text(path))
    .filter(
      (data) =>
        textAt(data, "kind") === "Service" && textAt(data, "apiVersion").startsWith("serving.knative.dev/"),
    )
    .map((data) => cloudRunService(data, path, base));
}

function cloudRunService(data: Data, path: string, base: Setting): CloudSource {
  const draft = new Draft();
  const from = (key: string) => `${path}, ${key}`;
  const spec = at(data, "spec", "template", "spec");
  const annotations = { ...annotationsOf(data), ...annotationsOf(at(data, "spec", "template")) };
  const carry = (key: string, value: string, source: string) => {
    if (value !== "") draft.set(key, value, from(source));
  };
  carry("concurrency", textAt(spec, "containerConcurrency"), "containerConcurrency");
  carry("timeout", textAt(spec, "timeoutSeconds"), "timeoutSeconds");
  scale(annotations, draft, from);
  const containers = listAt(spec, "containers");
  const main = containers.find((container) => listAt(container, "ports").length > 0) ?? containers[0];
  if (containers.length > 1)
    draft.leave(`${path} has ${containers.length} containers: sidecars run beside Headrace.`);
  carry("resources.cpu", textAt(main, "resources", "limits", "cpu"), "resources.limits.cpu");
  carry("resources.memory", textAt(main, "resources", "limits", "memory"), "resources.limits.memory");
  carry("/listen.port", textAt(listAt(main, "ports")[0], "containerPort"), "containerPort");
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"])
    carry("healthPath", textAt(main, probe, "httpGet", "path"), `${probe}.httpGet.path`);
  for (const entry of listAt(main, "env")) variable(entry, path, draft);
  for (const key of ["volumes", "serviceAccountName", "nodeSelector"])
    if (at(spec, key) !== undefined) draft.leave(`${key} (${path}) is the platform's affair.`);
  if (listAt(data, "spec", "traffic").length > 1)
    draft.leave(`traffic (${path}): shares belong to revisions that run; headrace traffic sets them.`);
  const words = [...listAt(main, "command"), ...listAt(main, "args")].map(String);
  const folder = folderOf(path);
  const variables = Object.fromEntries(draft.variables.map(({ name, value }) => [name, value]));
  const setting = { ...base, folder, from: from("command"), variables: { ...base.variables, ...variables } };
  const command = at(main, "command") === undefined ? null : readCommand({ env: {}, words }, setting);
  if (command !== null) merge(draft, command);
  const name = textAt(data, "metadata", "name");
  return { sketch: draft.sketch({ name, folder: command?.folder ?? folder, from: path }), command };
}

function annotationsOf(value: unknown): Data {
  const found = at(value, "metadata", "annotations");
  return isData(found) ? found : {};
}

/** Cloud Run's own defaults are none and a hundred. */
function scale(annotations: Data, draft: Draft, from: (key: string) => string): void {
  const find = (...names: readonly string[]) => {
    const name = names.find((one) => annotations[one] !== undefined);
    return name === undefined ? null : { name: name.split("/")[1]!, value: String(annotations[name]) };
  };
  const min = find(
    "autoscaling.knative.dev/minScale",
    "autoscaling.knative.dev/min-scale",
    "run.googleapis.com/minScale",
  );
  const max = find(
    "autoscaling.knative.dev/maxScale",
    "autoscaling.knative.dev/max-scale",
    "run.googleapis.com/maxScale",
  );
  draft.set("scale.min", min?.value ?? "0", min === null ? from("Cloud Run's default") : from(min.name));
  draft.set("scale.max", max?.value ?? "100", max === null ? from("Cloud Run's default") : from(max.name));
  const target = find(
    "autoscaling.knative.dev/targetUtilizationPercentage",
    "autoscaling.knative.dev/target-utilization-percentage",
  );
  if (target !== null) draft.set("scale.target", `${target.value}%`, from(target.name));
  const sticky = find("run.googleapis.com/sessionAffinity");
  if (sticky?.value === "true") {
    draft.set("affinity.cookie", "headrace-instance", from(sticky.name));
    draft.set("affinity.sticky", "true", from(sticky.name));
  }
  for (const [name, why] of [
    ["run.googleapis.com/cpu-throttling", "processor time is not taken away between requests"],
    ["run.googleapis.com/vpc-access-connector", "networks are the platform's affair"],
    ["run.googleapis.com/cloudsql-instances", "run the Cloud SQL proxy beside Headrace"],
  ] as const)
    if (annotations[name] !== undefined) draft.leave(`${from(name.split("/")[1]!)}: ${why}.`);
}

function variable(entry: unknown, path: string, draft: Draft): void {
  const name = textAt(entry, "name");
  if (name === "" || name === "PORT") return;
  const secret = textAt(entry, "valueFrom", "secretKeyRef", "name");
  if (secret !== "")
    draft.variables.push({ name, value: "", secret: true, from: `${path}, the secret ${secret}` });
  else draft.variable(name, textAt(entry, "value"), `${path}, env`);
}

function merge(draft: Draft, command: ServerCommand): void {
  // What the platform says is stronger than what its server was told: it comes first.
  const said = new Set(draft.findings.map(({ key }) => key));
  draft.findings.push(...command.draft.findings.filter(({ key }) => !said.has(key)));
  draft.variables.push(...command.draft.variables);
  for (const sentence of command.draft.left) draft.leave(sentence);
  draft.target = command.draft.target;
}

/** Memory and processor time of App Engine's classes, as its documentation has them. */
const CLASSES: Readonly<Record<string, { readonly memory: string; readonly cpu: string }>> = {
  F1: { memory: "384Mi", cpu: "600m" },
  F2: { memory: "768Mi", cpu: "1200m" },
  F4: { memory: "1536Mi", cpu: "2400m" },
  F4_1G: { memory: "3072Mi", cpu: "2400m" },
  B1: { memory: "384Mi", cpu: "600m" },
  B2: { memory: "768Mi", cpu: "1200m" },
  B4: { memory: "1536Mi", cpu: "2400m" },
  B4_1G: { memory: "3072Mi", cpu: "2400m" },
  B8: { memory: "3072Mi", cpu: "4800m" },
};

/** What an app.yaml of App Engine says; null when it is none for Python. */
export function readAppEngine(path: string, project: Project, base: Setting): CloudSource | null {
  const [data] = documents(project.text(path));
  const runtime = textAt(data, "runtime");
  if (data === undefined || !/^python/.test(runtime)) return null;
  const draft = new Draft();
  const from = (key: string) => `${path}, ${key}`;
  const carry = (key: string, value: string, source: string) => {
    if (value !== "") draft.set(key, value, from(source));
  };
  const size = CLASSES[textAt(data, "instance_class").toUpperCase()];
  if (size !== undefined) {
    carry("resources.memory", size.memory, "instance_class");
    carry("resources.cpu", size.cpu, "instance_class");
  }
  carry("scale.min", textAt(data, "automatic_scaling", "min_instances"), "min_instances");
  for (const kind of ["automatic_scaling", "basic_scaling"])
    carry("scale.max", textAt(data, kind, "max_instances"), `${kind}.max_instances`);
  carry("instances", textAt(data, "manual_scaling", "instances"), "manual_scaling.instances");
  carry(
    "concurrency",
    textAt(data, "automatic_scaling", "max_concurrent_requests"),
    "max_concurrent_requests",
  );
  const percent = (key: string) => {
    const share = Number(textAt(data, "automatic_scaling", key));
    return share > 0 && share <= 1 ? `${Math.round(share * 100)}%` : "";
  };
  carry("scale.cpu", percent("target_cpu_utilization"), "target_cpu_utilization");
  carry("scale.target", percent("target_throughput_utilization"), "target_throughput_utilization");
  const idle = textAt(data, "basic_scaling", "idle_timeout");
  if (idle !== "") {
    carry("scale.min", "0", "basic_scaling");
    carry("scale.toZeroAfter", idle, "basic_scaling.idle_timeout");
  }
  const variables = at(data, "env_variables");
  for (const [name, value] of Object.entries(isData(variables) ? variables : {}))
    draft.variable(name, String(value), from("env_variables"));
  for (const handler of listAt(data, "handlers")) {
    const directory = textAt(handler, "static_dir") || textAt(handler, "static_files");
    if (directory !== "")
      draft.leave(
        `The handler for ${textAt(handler, "url")} (${path}): static files (${directory}) are served by the app, or by a server in front.`,
      );
  }
  for (const key of ["inbound_services", "vpc_access_connector", "beta_settings", "network"])
    if (at(data, key) !== undefined) draft.leave(`${key} (${path}) is the platform's affair.`);
  const folder = folderOf(path);
  const line = textAt(data, "entrypoint");
  const known = Object.fromEntries(draft.variables.map(({ name, value }) => [name, value]));
  const setting = { ...base, folder, from: from("entrypoint"), variables: { ...base.variables, ...known } };
  const { command, others } = line === "" ? { command: null, others: [] } : serverOf(line, setting);
  for (const other of others) draft.leave(other);
  if (command !== null) merge(draft, command);
  // Without an entrypoint App Engine serves app in main.py.
  else if (line === "")
    draft.target = { place: "main.py", attribute: "app", factory: false, function: false };
  const name = textAt(data, "service");
  return {
    sketch: draft.sketch({
      name: name === "default" ? "" : name,
      folder: command?.folder ?? folder,
      from: path,
    }),
    command,
  };
}
