// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of shells and of headrace.yaml
import { describe, expect, test } from "bun:test";
import { readDockerfile } from "./dockerfile.ts";
import type { Project } from "./project.ts";

function read(dockerfile: string, files: Readonly<Record<string, string>> = {}) {
  const all: Readonly<Record<string, string>> = { ...files, Dockerfile: dockerfile };
  const project: Project = {
    ...{ root: "/p", files: Object.keys(all), environments: [], cut: false },
    has: (path) => path in all,
    text: (path) => all[path] ?? "",
  };
  const base = { from: "", folder: "", variables: {}, gunicornConf: () => undefined };
  const source = readDockerfile("Dockerfile", project, base);
  if (source === null) return null;
  const { target, findings, variables, left, folder, from } = source.sketch;
  const values = Object.fromEntries(findings.map(({ key, value }) => [key, value]));
  const env = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
  return { app: `${target?.place}:${target?.attribute}`, values, env, left, folder, from };
}

describe("what it starts", () => {
  test.each([
    ["exec form", 'FROM p\nCMD ["uvicorn", "a:b", "--port", "80"]', "a:b", { "/listen.port": "80" }],
    ["shell form", "FROM p\nCMD exec uvicorn a:b --port $PORT", "a:b", { "/listen.port": "${PORT:-8080}" }],
    [
      "a known variable",
      "FROM p\nENV PORT=9\nCMD uvicorn a:b --port $PORT",
      "a:b",
      { "/listen.port": "${PORT:-9}" },
    ],
    ["a shell within", 'FROM p\nCMD ["sh", "-c", "migrate && uvicorn a:b"]', "a:b", {}],
    [
      "entrypoint and command",
      'FROM p\nENTRYPOINT ["uvicorn"]\nCMD ["a:b", "--port", "80"]',
      "a:b",
      { "/listen.port": "80" },
    ],
    ["the last command", "FROM p\nCMD uvicorn x:y\nCMD uvicorn a:b", "a:b", {}],
    ["the last stage", "FROM p AS one\nCMD uvicorn x:y\nFROM q\nCMD uvicorn a:b", "a:b", {}],
    ["a stage below", "FROM p AS one\nCMD uvicorn a:b\nFROM one\nRUN x", "a:b", {}],
    [
      "an entrypoint forgets the command below",
      "FROM p AS one\nCMD uvicorn x:y\nFROM one\nENTRYPOINT uvicorn a:b",
      "a:b",
      {},
    ],
    ["lines that go on, with comments between", 'FROM p\nCMD ["uvicorn", \\\n  # here\n  "a:b"]', "a:b", {}],
  ])("%s", (_title, text, app, values) => {
    const found = read(text);
    expect(found?.app).toBe(app);
    expect(found?.values).toMatchObject(values);
  });

  test.each(["FROM p", 'FROM p\nCMD ["node", "server.js"]', "", "FROM scratch AS x\nENTRYPOINT []"])(
    "nothing: %j",
    (text) => {
      expect(read(text)).toBeNull();
    },
  );
});

test("a script that passes on what it is given, and one that serves by itself", () => {
  const passing = read('FROM p\nENTRYPOINT ["/start.sh"]\nCMD ["uvicorn", "a:b"]', {
    "bin/start.sh": 'migrate\nexec "$@"\n',
  });
  expect(passing).toMatchObject({ app: "a:b", from: "Dockerfile:3" });
  expect(passing?.left[0]).toStartWith("bin/start.sh (Dockerfile:2) runs before the server");
  const own = read('FROM p\nENTRYPOINT ["sh", "/start.sh"]', {
    "start.sh": "exec uvicorn a:b \\\n --port 80\n",
  });
  expect(own).toMatchObject({ app: "a:b", values: { "/listen.port": "80" } });
});

test("variables, of both forms, in terms of each other; not those of the container", () => {
  expect(
    read("FROM p\nENV A=1 B='2 3' PATH=/x:$PATH\nENV C some words\nENV D=$A/$B\nCMD uvicorn a:b")?.env,
  ).toEqual({
    A: "1",
    B: "2 3",
    C: "some words",
    D: "1/2 3",
  });
});

test.each([
  ["COPY . .", "/app", ""],
  ["COPY . /app", "/app/src", "src"],
  ["COPY ./backend /app", "/app", "backend"],
  ["COPY --chown=a:b backend/ /app", "/app/api", "backend/api"],
  ["COPY --from=build /x /app", "/app", ""],
  ["RUN x", "/elsewhere", ""],
])("%s in %s is the folder %j", (copy, workdir, folder) => {
  const files = { "backend/api/main.py": "", "src/main.py": "" };
  expect(read(`FROM p\nWORKDIR ${workdir}\n${copy}\nCMD uvicorn a:b`, files)?.folder).toBe(folder);
});
