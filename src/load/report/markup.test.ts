import { describe, expect, test } from "bun:test";
import { data, markup, trusted } from "./markup.ts";

describe("markup", () => {
  test("what is put in is escaped, in text and in attributes", () => {
    expect(markup`<a title="${`"'><b>&`}">${"<i>"}</a>`.text).toBe(
      '<a title="&quot;&#39;&gt;&lt;b&gt;&amp;">&lt;i&gt;</a>',
    );
  });

  test("markup in markup stays; lists stand one after the other; null is nothing", () => {
    const items = ["<", 2].map((each) => markup`<li>${each}</li>`);
    expect(markup`<ul>${items}${null}${trusted("<hr>")}</ul>`.text).toBe(
      "<ul><li>&lt;</li><li>2</li><hr></ul>",
    );
  });

  test("data cannot end the script it stands in, nor begin a comment", () => {
    const value = { text: "</script><!-- <script>" };
    expect(data(value).text).not.toContain("<");
    expect(JSON.parse(data(value).text)).toEqual(value);
  });
});
