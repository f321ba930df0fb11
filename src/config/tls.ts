import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { messageOf } from "../base/errors.ts";
import type { Problem } from "./problem.ts";

/** A certificate and its key, as files. */
export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface TlsCheck {
  readonly problems: readonly Problem[];
  /** What works today but most likely is not meant: a certificate that is over, or not yet valid. */
  readonly notices: readonly Problem[];
}

/** Checks that the certificate and the key are whole and belong together. @param now Unix milliseconds */
export function checkTls(files: TlsFiles, now: number): TlsCheck {
  const cert = readCertificate(files);
  const key = readKey(files);
  const problems = [cert, key].filter((part): part is Problem => "code" in part);
  if ("code" in cert || "code" in key) return { problems, notices: [] };
  if (!cert.checkPrivateKey(key)) {
    const message = `The key ${files.keyPath} does not belong to the certificate ${files.certPath}.`;
    return {
      problems: [broken("--tls-key", message, "Give the key the certificate was made with.")],
      notices: [],
    };
  }
  return { problems: [], notices: [...validity(cert, files.certPath, now)] };
}

function readCertificate(files: TlsFiles): X509Certificate | Problem {
  const chain = files.cert.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const instead = "Give a PEM file, the server's own certificate first.";
  if (chain.length === 0) {
    const swapped = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(files.cert);
    const why = swapped ? "is a private key, not a certificate" : "holds no PEM certificate";
    return broken("--tls-cert", `The file ${files.certPath} ${why}.`, instead);
  }
  try {
    return chain.map((pem) => new X509Certificate(pem))[0]!;
  } catch (error) {
    return broken(
      "--tls-cert",
      `A certificate in ${files.certPath} is broken (${messageOf(error)}).`,
      instead,
    );
  }
}

function readKey(files: TlsFiles): KeyObject | Problem {
  const instead = "Give an unencrypted private key in PEM.";
  if (/ENCRYPTED/.test(files.key)) {
    const remove = `Remove the password: openssl pkey -in ${files.keyPath} -out plain.pem`;
    return broken("--tls-key", `The key ${files.keyPath} has a password.`, remove);
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(files.key)) {
    return broken("--tls-key", `The file ${files.keyPath} holds no PEM private key.`, instead);
  }
  try {
    return createPrivateKey(files.key);
  } catch (error) {
    return broken("--tls-key", `The key ${files.keyPath} is broken (${messageOf(error)}).`, instead);
  }
}

function* validity(cert: X509Certificate, path: string, now: number): Generator<Problem> {
  const renew = "Renew it: clients will refuse it.";
  if (now > Date.parse(cert.validTo)) {
    yield broken("--tls-cert", `The certificate ${path} ended on ${cert.validTo}.`, renew);
  }
  if (now < Date.parse(cert.validFrom)) {
    yield broken(
      "--tls-cert",
      `The certificate ${path} is valid from ${cert.validFrom} on.`,
      "Check the clock.",
    );
  }
}

function broken(subject: string, message: string, instead: string): Problem {
  return { code: "tls_invalid", subject, message, instead };
}
