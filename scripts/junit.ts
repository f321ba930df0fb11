/** How many test cases of a JUnit report passed, failed and were skipped. */
export function countReport(xml: string): { passed: number; failed: number; skipped: number } {
  const tally = { passed: 0, failed: 0, skipped: 0 };
  // Attribute values may hold a bare ">", so quoted strings are stepped over before the tag's end is looked for.
  const testcase = /<testcase\b(?:[^>"']|"[^"]*"|'[^']*')*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  for (const match of xml.matchAll(testcase)) {
    const inside = (match[1] ?? "").replaceAll(/<!\[CDATA\[[\s\S]*?\]\]>/g, "");
    if (/<(failure|error)\b/.test(inside)) tally.failed += 1;
    else if (/<skipped\b/.test(inside)) tally.skipped += 1;
    else tally.passed += 1;
  }
  return tally;
}
