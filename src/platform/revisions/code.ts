/**
 * The code of a revision: all Python files in the folder of its app and in the one that its modules are looked for in. They are
 * digested, and kept in the state folder under their digest: a revision that is started later, or grows, or replaces an instance,
 * imports what it was made of, whatever the files say by then (python/headrace/worker/sources.py).
 *
 * Templates, data and installed packages are not code in this sense: they are what they are when they are read.
 */

import { existsSync } from "node:fs";
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { ignoredFolders } from "../../instances/index.ts";
import { notWritten } from "./not-written.ts";

/** More than that is no app's source: then nothing is kept. */
const MOST_FILES = 20_000;
const MOST_BYTES = 256 * 1024 * 1024;

/** In the folder of the code: each content once, under its digest. */
const BLOBS = "files";

/** A folder and what is kept of it, both absolute. */
export interface Source {
  readonly folder: string;
  readonly kept: string;
}

/** The folders that hold an app's code: no one lies in another. */
export function codeFolders(folders: readonly string[]): readonly string[] {
  const unique = [...new Set(folders)].sort();
  return unique.filter((folder) => !unique.some((other) => folder !== other && isInside(folder, other)));
}

/** Where the code of a digest is kept, for each of its folders. */
export function sourcesOf(codeDir: string, digest: string, folders: readonly string[]): readonly Source[] {
  if (digest === "") return [];
  return codeFolders(folders).map((folder, index) => ({
    folder,
    kept: join(codeDir, digest, String(index)),
  }));
}

/**
 * Digests the code as it is now, and keeps it. Files that are alike are one on the disk, over all revisions.
 * @throws HeadraceError state_not_written
 * @returns the digest: SHA-256 over the path of each file in its folder, and its content, in order; empty when it is too much to keep
 */
export async function keepCode(codeDir: string, folders: readonly string[]): Promise<string> {
  const files = await filesIn(codeFolders(folders), codeDir);
  if (files === null) return "";
  const digest = digestOf(files);
  const target = join(codeDir, digest);
  if (existsSync(target)) return digest;
  // Whole or not at all, whenever we are killed.
  const draft = join(codeDir, `.${digest}.${process.pid}`);
  try {
    await rm(draft, { recursive: true, force: true });
    for (const index of codeFolders(folders).keys())
      await mkdir(join(draft, String(index)), { recursive: true, mode: 0o700 });
    await writeFiles(codeDir, draft, files);
    await rename(draft, target);
    return digest;
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    throw notWritten(codeDir, error);
  }
}

async function writeFiles(codeDir: string, draft: string, files: readonly CodeFile[]): Promise<void> {
  const blobs = join(codeDir, BLOBS);
  await mkdir(blobs, { recursive: true, mode: 0o700 });
  for (const file of files) {
    const path = join(draft, file.place);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const blob = join(blobs, file.digest);
    if (!existsSync(blob)) await writeWhole(blob, file.content);
    await link(blob, path).catch(() => writeFile(path, file.content, { mode: 0o600 }));
  }
}

/** Whether what is kept under the digest is there, whole and as it was. */
export async function isKept(codeDir: string, digest: string, folders: readonly string[]): Promise<boolean> {
  const kept = sourcesOf(codeDir, digest, folders).map((source) => source.kept);
  if (kept.length === 0 || !kept.every((folder) => existsSync(folder))) return false;
  const files = await filesIn(kept, "");
  return files !== null && digestOf(files) === digest;
}

/** Removes what is kept under digests that no revision has any more, and what a kill left behind. */
export async function forgetCode(codeDir: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(codeDir).catch(() => [])) {
    if (name !== BLOBS && !wanted.has(name)) await rm(join(codeDir, name), { recursive: true, force: true });
  }
  const blobs = join(codeDir, BLOBS);
  for (const name of await readdir(blobs).catch(() => [])) {
    const blob = join(blobs, name);
    if ((await stat(blob).catch(() => null))?.nlink === 1) await rm(blob, { force: true });
  }
}

async function writeWhole(path: string, content: Buffer): Promise<void> {
  const draft = `${path}.${process.pid}`;
  try {
    await writeFile(draft, content, { mode: 0o600 });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw error;
  }
}

function digestOf(files: readonly CodeFile[]): string {
  const whole = new Bun.CryptoHasher("sha256");
  for (const { place, digest } of files) whole.update(`${place}\0${digest}\n`);
  return whole.digest("hex");
}

interface CodeFile {
  /** Number of its folder, and its path there: `0/shop/main.py`. */
  readonly place: string;
  readonly content: Buffer;
  /** SHA-256 of the content. */
  readonly digest: string;
}

/** @param except what is kept itself, where somebody put it beside the app */
async function filesIn(folders: readonly string[], except: string): Promise<readonly CodeFile[] | null> {
  const files: CodeFile[] = [];
  let bytes = 0;
  for (const [index, folder] of folders.entries()) {
    for await (const path of pythonFiles(folder, except)) {
      const content = await readFile(path).catch(() => null);
      if (content === null) continue;
      bytes += content.length;
      if (files.length === MOST_FILES || bytes > MOST_BYTES) return null;
      const digest = new Bun.CryptoHasher("sha256").update(content).digest("hex");
      files.push({ place: `${index}/${relative(folder, path)}`, content, digest });
    }
  }
  return files.sort((a, b) => (a.place < b.place ? -1 : 1));
}

async function* pythonFiles(folder: string, except: string): AsyncGenerator<string> {
  if (folder === except) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  if (entries.some(({ name }) => name === "pyvenv.cfg")) return;
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!entry.name.startsWith(".") && !ignoredFolders.has(entry.name)) yield* pythonFiles(path, except);
    } else if (entry.name.endsWith(".py")) yield path;
  }
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
