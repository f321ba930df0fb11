// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of shells and of headrace.yaml
import { describe, expect, test } from "bun:test";
import { commandsOf, unwrapped, withReferences } from "./words.ts";

const words = (line: string) => commandsOf(line).map((command) => command.words);

describe("a shell line", () => {
  test.each([
    ["gunicorn a:b -w 2", [["gunicorn", "a:b", "-w", "2"]]],
    [
      'cd /app && exec gunicorn \'a b\' "c \\" d" e\\ f',
      [
        ["cd", "/app"],
        ["exec", "gunicorn", "a b", 'c " d', "e f"],
      ],
    ],
    ["migrate; serve | cat & wait", [["migrate"], ["serve"], ["cat"], ["wait"]]],
    ["a --x=${A:-b c} $B", [["a", "--x=${A:-b c}", "$B"]]],
    ["a # comment && b", [["a"]]],
    ["a b#c", [["a", "b#c"]]],
    ["a \\\n  b", [["a", "b"]]],
    ["a '' b", [["a", "", "b"]]],
    ["", []],
    ["a 'not closed", [["a", "not closed"]]],
  ])("%j", (line, expected) => {
    expect(words(line)).toEqual(expected);
  });

  test("variables before the command", () => {
    expect(commandsOf("A=1 B='2 3' run x=y")).toEqual([{ env: { A: "1", B: "2 3" }, words: ["run", "x=y"] }]);
  });
});

describe("what runs another program", () => {
  const program = (line: string) => unwrapped(commandsOf(line)[0]!).words;
  test.each([
    ["exec gunicorn a:b", ["gunicorn", "a:b"]],
    ["/opt/venv/bin/gunicorn a:b", ["gunicorn", "a:b"]],
    ["python3.12 -m uvicorn a:b", ["uvicorn", "a:b"]],
    ["python -u main.py", ["python", "main.py"]],
    ["poetry run uvicorn a:b", ["uvicorn", "a:b"]],
    ["uv run --package api --no-dev uvicorn a:b", ["uvicorn", "a:b"]],
    ["env A=1 gunicorn a:b", ["gunicorn", "a:b"]],
    ["tini -- gunicorn a:b", ["gunicorn", "a:b"]],
    ["gosu app gunicorn a:b", ["gunicorn", "a:b"]],
    ["sh -c 'migrate && gunicorn a:b'", ["gunicorn", "a:b"]],
    ["opentelemetry-instrument --traces_exporter console gunicorn a:b", ["gunicorn", "a:b"]],
  ])("%s", (line, expected) => {
    expect(program(line)).toEqual(expected);
  });

  test("is known of where it matters", () => {
    expect(unwrapped(commandsOf("ddtrace-run gunicorn a:b")[0]!).around).toEqual(["ddtrace-run"]);
  });
});

test("references to variables", () => {
  const known = { WORKERS: "4" };
  for (const [word, expected] of [
    ["4", "4"],
    ["$WORKERS", "${WORKERS:-4}"],
    ["${WORKERS}", "${WORKERS:-4}"],
    ["${OTHER:-2}", "${OTHER:-2}"],
    [":$PORT", ":${PORT:-8080}"],
    ["$OTHER", null],
    ["$(nproc)", null],
    ["`nproc`", null],
  ] as const)
    expect([word, withReferences(word, known)]).toEqual([word, expected]);
});
