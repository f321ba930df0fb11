/**
 * Draws a file of results as one HTML page that needs nothing else. bench/run.ts has done so already; this is for old files.
 *
 *   bench/report RESULTS.json [PAGE.html]
 */
import { writeFileSync } from "node:fs";
import { readResults } from "./compare.ts";
import { UsageError } from "./frame/settings.ts";
import { html } from "./pictures/html.ts";

function main([from, to, ...more]: string[]): void {
  if (from === undefined || more.length > 0)
    throw new UsageError("write the file of results: bench/report RESULTS.json [PAGE.html]");
  const page = to ?? from.replace(/(\.json)?$/, ".html");
  writeFileSync(page, html(readResults(from)));
  process.stdout.write(`${page}\n`);
}

if (import.meta.main) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}
