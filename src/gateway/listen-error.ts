/** Why listening failed, in words that say what to do. */
import { lstatSync, unlinkSync } from "node:fs";
import type { FrontSettings } from "./settings.ts";

/** Stable codes of {@link ListenError}. */
export const LISTEN_ERRORS = {
  HR_LISTEN_IN_USE: "Another program listens on this address. Stop it, or choose another port.",
  HR_LISTEN_DENIED: "Listening on this address is not permitted. Ports below 1024 usually need privileges.",
  HR_LISTEN_ADDRESS: "This machine has no such address to listen on.",
  HR_LISTEN_CERTIFICATE:
    "The certificate or its key cannot be used. Both have to be PEM text, and belong together.",
  HR_LISTEN_FAILED: "Listening failed.",
} as const;

export type ListenErrorCode = keyof typeof LISTEN_ERRORS;

/** Thrown when a gateway cannot listen. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  constructor(
    readonly code: ListenErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const BY_ERRNO: Readonly<Record<string, ListenErrorCode>> = {
  EADDRINUSE: "HR_LISTEN_IN_USE",
  EACCES: "HR_LISTEN_DENIED",
  EPERM: "HR_LISTEN_DENIED",
  EADDRNOTAVAIL: "HR_LISTEN_ADDRESS",
  ENOENT: "HR_LISTEN_ADDRESS",
  EINVAL: "HR_LISTEN_ADDRESS",
  ENAMETOOLONG: "HR_LISTEN_ADDRESS",
};

/** Turns what the runtime threw into a {@link ListenError}. */
export function toListenError(error: unknown, settings: FrontSettings): ListenError {
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  const where = settings.uds !== "" ? settings.uds : `${settings.host}:${settings.port}`;
  const known = BY_ERRNO[code] ?? guess(code, message, settings);
  return new ListenError(known, `${where}: ${LISTEN_ERRORS[known]} (${message.trim()})`, { cause: error });
}

function guess(code: string, message: string, settings: FrontSettings): ListenErrorCode {
  if (/SSL|PEM|X509|key|cert/i.test(`${code} ${message}`) && settings.tlsCert !== "")
    return "HR_LISTEN_CERTIFICATE";
  // A host name that does not resolve has no code.
  return code === "" && settings.uds === "" ? "HR_LISTEN_ADDRESS" : "HR_LISTEN_FAILED";
}

/**
 * Removes a Unix socket that nobody listens on any more.
 * @throws ListenError when somebody does, or when the path is something else
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket())
    throw new ListenError("HR_LISTEN_ADDRESS", `${path}: There is a file here that is not a socket.`);
  if (await answers(path))
    throw new ListenError("HR_LISTEN_IN_USE", `${path}: ${LISTEN_ERRORS.HR_LISTEN_IN_USE}`);
  unlinkSync(path);
}

async function answers(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data: () => undefined } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
}
