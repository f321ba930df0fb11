/**
 * Chooses what instances are started with, as `--preload` says:
 *
 * ```
 *  app ──findings──▶ imports ──findings──▶ off          (auto falls; a level that the user named is kept, with a warning)
 * ```
 */

import type { StartFailure } from "../errors.ts";
import type { Host } from "../member.ts";
import type { Launcher, LaunchResult } from "./launcher.ts";
import type { Finding } from "./messages.ts";
import { spawnLauncher } from "./spawn.ts";
import { Zygote } from "./zygote.ts";

export type OpenedLauncher =
  | { readonly kind: "opened"; readonly launcher: Launcher; readonly ms: number }
  | { readonly kind: "failed"; readonly failure: StartFailure };

/**
 * Opens what instances are started with.
 * @param kept the launcher of the generation before, when it may be used again: one that holds nothing of the app
 */
export async function openLauncher(host: Host, kept: Launcher | undefined): Promise<OpenedLauncher> {
  if (kept !== undefined && kept.level !== "app") return { kind: "opened", launcher: kept, ms: 0 };
  const { clock } = host.ports;
  const began = clock.now();
  const launcher = await choose(host);
  if ("code" in launcher) return { kind: "failed", failure: launcher };
  return { kind: "opened", launcher, ms: clock.now() - began };
}

async function choose(host: Host): Promise<Launcher | StartFailure> {
  const { preload, keepImports, workerClass } = host.spec;
  if (preload === "off") return spawnLauncher(host.spec, []);
  const impossible = noZygote(workerClass);
  if (impossible !== undefined) return spawnLauncher(host.spec, [impossible]);
  const reasons: string[] = [];
  if (preload === "app" || (preload === "auto" && !keepImports)) {
    const launcher = await tryLevel(host, "app", reasons);
    if (launcher !== "imports") return launcher === "off" ? spawnLauncher(host.spec, reasons) : launcher;
  }
  if (preload === "auto" && keepImports) reasons.push(keptImports);
  const launcher = await tryLevel(host, "imports", reasons);
  return typeof launcher === "string" ? spawnLauncher(host.spec, reasons) : launcher;
}

/** Why `--reload` does not have level app. */
export const keptImports = "reloads keep the imports and import the app anew";

/** Why there can be no zygote at all; undefined when there can. */
export function noZygote(workerClass: string): string | undefined {
  if (process.platform !== "linux")
    return `no process is forked on ${process.platform}: each instance is spawned`;
  if (workerClass === "gevent") return "gevent patches the standard library before the app is imported";
  return undefined;
}

/** A launcher at this level, a failure, or the lower level that `auto` may try next; `reasons` says why then. */
async function tryLevel(
  host: Host,
  level: "app" | "imports",
  reasons: string[],
): Promise<Launcher | StartFailure | "imports" | "off"> {
  const started = await Zygote.start(host, level);
  if (started.kind === "failed") return started.failure;
  const { zygote } = started;
  if (zygote.findings.length === 0) return new ZygoteLauncher(host, zygote, reasons);
  reasons.push(...zygote.findings.map((finding) => explain(level, finding)));
  if (host.spec.preload !== "auto") return new ZygoteLauncher(host, zygote, reasons);
  await zygote.close();
  return zygote.holds === "imports" && level === "app" ? "imports" : "off";
}

/** A finding as a reason against a level. */
export function explain(level: "app" | "imports", finding: Finding): string {
  const who = finding.module === "" ? "" : `${finding.module}: `;
  return `level ${level} is not safe to fork: ${who}${finding.detail}`;
}

/** Forks instances from a zygote; when it has died, from a new one. */
class ZygoteLauncher implements Launcher {
  readonly level: "app" | "imports";
  readonly reasons: readonly string[];
  readonly #host: Host;
  #zygote: Zygote;
  #next: Promise<Zygote | StartFailure> | undefined;
  #closed = false;

  constructor(host: Host, zygote: Zygote, reasons: readonly string[]) {
    this.#host = host;
    this.#zygote = zygote;
    this.level = zygote.level;
    this.reasons = [...reasons];
  }

  async launch(...args: Parameters<Launcher["launch"]>): Promise<LaunchResult> {
    const zygote = await this.#living();
    return zygote instanceof Zygote ? zygote.fork(...args) : { kind: "failed", failure: zygote };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#next;
    await this.#zygote.close();
  }

  #living(): Promise<Zygote | StartFailure> {
    if (!this.#zygote.isGone || this.#closed) return Promise.resolve(this.#zygote);
    this.#next ??= Zygote.start(this.#host, this.level).then((started) => {
      this.#next = undefined;
      if (started.kind === "failed") return started.failure;
      this.#zygote = started.zygote;
      return started.zygote;
    });
    return this.#next;
  }
}
