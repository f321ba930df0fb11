/** The OpenAPI 3.1 description of the admin API, made from the declarations. Pure. */

import { VERSION } from "../model/version.ts";
import { type AdminErrorCode, adminErrors } from "./errors.ts";
import { commonErrors, type Route } from "./route.ts";
import { routes } from "./routes.ts";
import { type Components, type JsonSchema, jsonSchema } from "./schema.ts";
import { error } from "./schemas.ts";

/** The whole document. */
export function openApi(): JsonSchema {
  const components: Components = new Map();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [name, route] of Object.entries<Route>(routes)) {
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = operation(name, route, components);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Headrace admin API",
      version: VERSION,
      description:
        "What the headrace command does to what runs. On loopback by default, and on a Unix socket that only its user can open.",
    },
    servers: [{ url: "http://127.0.0.1:8081" }],
    // Either: loopback and the Unix socket want nothing, other addresses want the token.
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description:
            "The token of $HEADRACE_ADMIN_TOKEN or --admin-token-file, on addresses beyond loopback.",
        },
      },
      schemas: Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}

function operation(name: string, route: Route, components: Components): JsonSchema {
  const parameters = [
    ...Object.entries(route.params ?? {}).map(([param, description]) => {
      return { name: param, in: "path", required: true, description, schema: { type: "string" } };
    }),
    ...Object.entries(route.query ?? {}).map(([param, schema]) => {
      const { description, ...rest } = jsonSchema(schema, components);
      return { name: param, in: "query", required: false, description, schema: rest };
    }),
  ];
  return {
    operationId: name,
    summary: route.summary,
    ...(route.doc === undefined ? {} : { description: route.doc }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: jsonContent(jsonSchema(route.body)) } }),
    responses: { ...answers(route, components), ...refusals(route, components) },
  };
}

const jsonContent = (schema: JsonSchema) => ({ "application/json": { schema } });

function answers({ answer }: Route, components: Components): JsonSchema {
  if (!("raw" in answer)) {
    const { description, ...schema } = jsonSchema(answer, components);
    return { "200": { description: description ?? "The answer.", content: jsonContent(schema) } };
  }
  // OpenAPI 3.1 has no word for what each event of a stream holds.
  const data = answer.data === undefined ? {} : { "x-event-data": jsonSchema(answer.data, components) };
  const content = Object.fromEntries(
    answer.raw.map((type) => [type, { schema: { type: "string" }, ...data }]),
  );
  const one = { description: answer.doc, content };
  return answer.alsoStatus === undefined ? { "200": one } : { "200": one, [answer.alsoStatus]: one };
}

/** Errors by status: several codes may share one. */
function refusals(route: Route, components: Components): JsonSchema {
  const codes: readonly AdminErrorCode[] = [...route.errors, ...commonErrors(route)];
  const sentences = new Map<number, string[]>();
  for (const code of codes) {
    const row: { readonly status?: number; readonly text: string } = adminErrors[code];
    const status = row.status ?? 500;
    sentences.set(status, [...(sentences.get(status) ?? []), `\`${code}\`: ${row.text}`]);
  }
  if (route.fails) {
    const text = "It was tried and did not work; nothing has changed. The code says why: docs/errors.md.";
    sentences.set(422, [text]);
  }
  const content = jsonContent(jsonSchema(error, components));
  return Object.fromEntries(
    [...sentences].map(([status, lines]) => [status, { description: lines.join("\n\n"), content }]),
  );
}
