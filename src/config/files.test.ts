import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfSigned } from "../../test/system/certificate.ts";
import { HeadraceError } from "../base/errors.ts";
import { parseEnvFile } from "./envfile.ts";
import {
  ensureRunDir,
  listRunStates,
  type RunState,
  removeRunState,
  runDirPath,
  startTicks,
  writeRunState,
} from "./rundir.ts";
import { checkTls } from "./tls.ts";

describe("files of environment variables", () => {
  test("are read as they are written everywhere", () => {
    const text = `\uFEFF# a comment
A=1
export B = two words   # a comment
  C=
D="quoted # not a comment" # a comment
E='single \\n $A'
F="lines\\nand \\"quotes\\" and \\$A"
G="over
two lines"
H=a#b
I=x=y\r
`;
    expect(parseEnvFile(text)).toEqual({
      variables: {
        A: "1",
        B: "two words",
        C: "",
        D: "quoted # not a comment",
        E: "single \\n $A",
        F: 'lines\nand "quotes" and $A',
        G: "over\ntwo lines",
        H: "a#b",
        I: "x=y",
      },
      wrong: [],
    });
  });

  test("tell each line that is wrong, and read the others", () => {
    expect(parseEnvFile('A=1\nnonsense\n2B=x\nE="x" y\nD=4\nC="open\n')).toEqual({
      variables: { A: "1", D: "4" },
      wrong: [
        { line: 2, why: "it is not KEY=VALUE" },
        { line: 3, why: "it is not KEY=VALUE" },
        { line: 4, why: 'something follows the closing "' },
        { line: 6, why: 'the quote " is not closed' },
      ],
    });
  });
});

describe("certificates", () => {
  const { cert, key } = selfSigned();
  const { privateKey } = generateKeyPairSync("ed25519");
  const other = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const locked = createPrivateKey(key)
    .export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "secret" })
    .toString();
  const { validFrom, validTo } = new X509Certificate(cert);
  const day = 86_400_000;

  const check = (cert: string, key: string, now = Date.parse(validFrom) + day / 2) => {
    const { problems, notices } = checkTls({ certPath: "c.pem", keyPath: "k.pem", cert, key }, now);
    return [...problems, ...notices].map(
      ({ subject, message }) => `${subject} ${message.replace(/ [(].*/, "")}`,
    );
  };

  test("that fit are no problem", () => {
    expect(check(cert, key)).toEqual([]);
    expect(check(`a note\n${cert}${cert}`, key)).toEqual([]);
  });

  test("that do not are told apart", () => {
    expect(check("nothing", key)).toEqual(["--tls-cert The file c.pem holds no PEM certificate."]);
    expect(check(key, cert)).toEqual([
      "--tls-cert The file c.pem is a private key, not a certificate.",
      "--tls-key The file k.pem holds no PEM private key.",
    ]);
    const cut = cert.replace(/\n.{60}/, "\n");
    expect(check(cut, key)).toEqual(["--tls-cert A certificate in c.pem is broken"]);
    expect(check(cert, key.replace(/\n.{20}/, "\n"))).toEqual(["--tls-key The key k.pem is broken"]);
    expect(check(cert, other)).toEqual(["--tls-key The key k.pem does not belong to the certificate c.pem."]);
    expect(check(cert, locked)).toEqual(["--tls-key The key k.pem has a password."]);
  });

  test("that are over, or not yet valid, are noticed", () => {
    expect(check(cert, key, Date.parse(validTo) + day)[0]).toStartWith(
      "--tls-cert The certificate c.pem ended on",
    );
    expect(check(cert, key, Date.parse(validFrom) - day)[0]).toStartWith(
      "--tls-cert The certificate c.pem is valid from",
    );
  });
});

describe("the folder of running Headraces", () => {
  let parent: string;
  let dir: string;
  const uid = process.getuid?.() ?? 0;

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "headrace-run-"));
    dir = ensureRunDir({ XDG_RUNTIME_DIR: parent });
  });

  afterEach(() => rmSync(parent, { recursive: true }));

  const state = (more: Partial<RunState> = {}): RunState => ({
    pid: process.pid,
    startTicks: startTicks(process.pid) ?? 0,
    service: "shop",
    app: "main.py",
    url: "http://127.0.0.1:8080",
    adminUrl: "http://127.0.0.1:8081",
    startedAt: 1_000,
    ...more,
  });

  test("is the user's own", () => {
    expect(dir).toBe(join(parent, "headrace"));
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(runDirPath({}, 1234)).toBe("/tmp/headrace-1234");
    expect(runDirPath({ XDG_RUNTIME_DIR: "relative" }, 1234)).toBe("/tmp/headrace-1234");
  });

  test("that somebody else made, or that is none, is not used", () => {
    const elsewhere = join(parent, "elsewhere");
    expect(() => ensureRunDir({ XDG_RUNTIME_DIR: parent }, uid + 1)).toThrow("belongs to another user");
    symlinkSync(parent, elsewhere);
    rmSync(dir, { recursive: true });
    symlinkSync(elsewhere, dir);
    expect(() => ensureRunDir({ XDG_RUNTIME_DIR: parent })).toThrow("is not a folder");
    rmSync(dir);
    writeFileSync(dir, "");
    const error = (() => {
      try {
        return ensureRunDir({ XDG_RUNTIME_DIR: parent });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(HeadraceError);
    expect((error as HeadraceError).code).toBe("run_dir_unsafe");
  });

  test("lists what runs, oldest first", () => {
    const child = Bun.spawn(["sleep", "60"]);
    try {
      writeRunState(dir, state({ startedAt: 2_000 }));
      writeRunState(dir, state({ pid: child.pid, startTicks: startTicks(child.pid) ?? 0, startedAt: 1_000 }));
      expect(listRunStates(dir).map(({ pid }) => pid)).toEqual([child.pid, process.pid]);
      removeRunState(dir, process.pid);
      removeRunState(dir, process.pid);
      expect(listRunStates(dir).map(({ pid }) => pid)).toEqual([child.pid]);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("forgets what is gone: processes that ended, later processes of the same number, broken notes", async () => {
    const child = Bun.spawn(["true"]);
    await child.exited;
    writeRunState(dir, state({ pid: child.pid, startTicks: 1 }));
    writeRunState(dir, state({ startTicks: (startTicks(process.pid) ?? 0) + 1 }));
    writeFileSync(join(dir, "77.json"), "{");
    writeFileSync(join(dir, "78.json"), '{"pid":1}');
    writeFileSync(join(dir, "something"), "else");
    expect(listRunStates(dir)).toEqual([]);
    expect(readdirSync(dir)).toEqual(["something"]);
  });

  test("need not exist to be asked", () => {
    expect(listRunStates(join(parent, "none"))).toEqual([]);
    expect(existsSync(join(parent, "none"))).toBe(false);
  });
});
