// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of shells and of headrace.yaml
import { describe, expect, test } from "bun:test";
import { fromEnvironment, type PythonSetting, readCommand } from "./servers.ts";
import { commandsOf } from "./words.ts";

function read(line: string, settings?: readonly PythonSetting[], variables: Record<string, string> = {}) {
  const found = readCommand(commandsOf(line)[0]!, {
    ...{ from: "here", folder: "", variables },
    gunicornConf: () => settings,
  });
  if (found === null) return null;
  const { draft, folder } = found;
  const values = Object.fromEntries(draft.findings.map(({ key, value }) => [key, value]));
  return { target: draft.target, values, left: draft.left, env: draft.variables, folder };
}

const app = (place: string, attribute: string, factory = false, isFunction = false) => ({
  ...{ place, attribute, factory },
  function: isFunction,
});

describe("gunicorn", () => {
  test("takes one request at a time, unless it is told otherwise", () => {
    expect(read("gunicorn shop.wsgi")).toMatchObject({
      target: app("shop.wsgi", ""),
      values: { concurrency: "1" },
    });
    expect(read("gunicorn a:b --threads=8")?.values).toEqual({ concurrency: "8" });
    expect(read("gunicorn a:b -k gevent --worker-connections 500")?.values).toEqual({
      workerClass: "gevent",
      concurrency: "500",
    });
    expect(read("gunicorn a:b -kuvicorn_worker.UvicornWorker -w3")?.values).toEqual({
      instances: "3",
      interface: "asgi",
    });
  });

  test.each([
    ["-b 0.0.0.0:80", { "/listen.host": "0.0.0.0", "/listen.port": "80" }],
    ["-b :$PORT", { "/listen.host": "0.0.0.0", "/listen.port": "${PORT:-8080}" }],
    ["-b [::]:80", { "/listen.host": "::", "/listen.port": "80" }],
    ["--bind=unix:/run/a.sock", { "/listen.uds": "/run/a.sock" }],
    ["-b 127.0.0.1", { "/listen.host": "127.0.0.1" }],
  ])("%s", (flags, values) => {
    expect(read(`gunicorn a:b -k uvicorn.workers.UvicornWorker ${flags}`)?.values).toMatchObject(values);
  });

  test("an app that a function makes, in a folder of its own", () => {
    expect(read('gunicorn --chdir src "shop:create_app()"')).toMatchObject({
      target: app("shop", "create_app", true),
      folder: "src",
    });
  });

  test("flags that it does not have here are told, each once", () => {
    expect(read("gunicorn a:b --daemon --user www --made-up 3")?.left).toEqual([
      "here, --daemon: It does not go to the background: systemd or a supervisor does that.",
      "here, --user www: Start headrace as that user; it does not change users itself.",
      "--made-up (here) is not known here.",
    ]);
  });

  test("its file, its variable and its flags, the last of them strongest", () => {
    const conf: PythonSetting[] = [
      { name: "timeout", line: 1, value: 30, source: "30" },
      { name: "workers", line: 2, value: null, source: "cpu_count()" },
      { name: "preload_app", line: 3, value: false, source: "False" },
      { name: "on_starting_counter", line: 4, value: 1, source: "1" },
    ];
    expect(read("gunicorn a:b --timeout 9", conf)?.values).toMatchObject({ timeout: "9" });
    const found = read("gunicorn a:b --threads 2", conf, { GUNICORN_CMD_ARGS: "--graceful-timeout 9" });
    expect(found?.values).toEqual({ timeout: "30", drainTimeout: "9", concurrency: "2" });
    expect(found?.left).toEqual(["workers = cpu_count() (gunicorn.conf.py:2) is worked out when it runs."]);
  });
});

test.each([
  [
    "uvicorn a:b --factory --workers 2 --root-path /x --loop uvloop",
    app("a", "b", true),
    { instances: "2", rootPath: "/x", loop: "uvloop" },
  ],
  ["hypercorn -b :80 a:b", app("a", "b"), { "/listen.port": "80" }],
  [
    "daphne -b 0.0.0.0 -p 9000 site.asgi:application",
    app("site.asgi", "application"),
    { "/listen.port": "9000" },
  ],
  [
    "waitress-serve --listen=*:80 --threads=6 --call shop:make",
    app("shop", "make", true),
    { concurrency: "6", "/listen.host": "0.0.0.0" },
  ],
  [
    "functions-framework --target hello --source fn.py --port 80",
    app("fn.py", "hello", false, true),
    { "/listen.port": "80" },
  ],
  ["granian --interface asgi --workers 2 a:b", app("a", "b"), { interface: "asgi", instances: "2" }],
  ["fastapi run app/main.py --port 80", app("app/main.py", ""), { "/listen.port": "80" }],
  ["flask --app shop:create_app run -h 0.0.0.0", app("shop", "create_app"), { "/listen.host": "0.0.0.0" }],
])("%s", (line, target, values) => {
  expect(read(line)).toMatchObject({ target, values });
});

test.each(["flask db upgrade", "celery -A a worker", "python manage.py migrate", "npm start", "fastapi"])(
  "%s serves nothing",
  (line) => {
    expect(read(line)).toBeNull();
  },
);

test("variables in front of it are the app's, those of the server are not", () => {
  const { env } = read("PORT=1 SHOP=eur DB_PASSWORD=x uvicorn a:b")!;
  expect(env.map(({ name, value, secret }) => [name, value, secret])).toEqual([
    ["SHOP", "eur", false],
    ["DB_PASSWORD", "x", true],
  ]);
});

test("expressions that read the environment", () => {
  for (const [source, expected] of [
    ["os.environ.get('N', 2)", "${N:-2}"],
    ['int(os.getenv("N", "2"))', "${N:-2}"],
    ["int(os.environ['PORT'])", "${PORT:-8080}"],
    ["os.environ['N']", null],
    ["os.environ.get('N')", null],
    ["os.environ.get('N', 2) * 2", null],
    ["cpu_count()", null],
  ] as const)
    expect([source, fromEnvironment(source)]).toEqual([source, expected]);
  expect(fromEnvironment("f\"0.0.0.0:{os.environ.get('PORT', '80')}\"", true)).toBe("0.0.0.0:${PORT:-80}");
  expect(fromEnvironment("'0.0.0.0:' + os.environ.get('PORT', '80')", true)).toBe("0.0.0.0:${PORT:-80}");
});
