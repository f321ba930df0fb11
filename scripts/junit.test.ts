import { expect, test } from "bun:test";
import { countReport } from "./junit.ts";

test("passed, failed and skipped cases are told apart", () => {
  const xml = `<?xml version="1.0"?>
    <testsuites><testsuite name="a" tests="5">
      <testcase name="one" time="0.1"/>
      <testcase name="a > b"><system-out><![CDATA[<failure>]]></system-out></testcase>
      <testcase name="three"><failure message="no"/></testcase>
      <testcase name="four"><error>boom</error></testcase>
      <testcase name="five"><skipped message="why"/></testcase>
    </testsuite></testsuites>`;
  expect(countReport(xml)).toEqual({ passed: 2, failed: 2, skipped: 1 });
});

test("a report without cases counts nothing", () => {
  expect(countReport("")).toEqual({ passed: 0, failed: 0, skipped: 0 });
  expect(countReport("<testsuites></testsuites>")).toEqual({ passed: 0, failed: 0, skipped: 0 });
});
