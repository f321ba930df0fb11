import { describe, expect, test } from "bun:test";
import { backoffMs } from "./backoff.ts";
import { ManualClock, systemClock } from "./clock.ts";
import { deadlineIn, remaining, within } from "./deadline.ts";
import { Exit, HeadraceError, messageOf, systemCode } from "./errors.ts";
import { randomId } from "./ids.ts";
import { ReleaseStack } from "./release.ts";

describe("release", () => {
  test("undoes last in, first out, once", async () => {
    const done: string[] = [];
    const stack = new ReleaseStack();
    stack.push(() => void done.push("first"));
    stack.push(async () => {
      await Promise.resolve();
      done.push("second");
    });
    await Promise.all([stack.release(), stack.release()]);
    await stack.release();
    expect(done).toEqual(["second", "first"]);
  });

  test("goes on after a failure and tells it at the end", async () => {
    const done: string[] = [];
    const stack = new ReleaseStack();
    stack.push(() => void done.push("kept"));
    stack.push(() => {
      throw new Error("broken");
    });
    expect(stack.release()).rejects.toThrow("broken");
    await stack.release().catch(() => {});
    expect(done).toEqual(["kept"]);
  });

  test("tells several failures together", async () => {
    const stack = new ReleaseStack();
    for (const name of ["a", "b"]) {
      stack.push(() => Promise.reject(new Error(name)));
    }
    const error = await stack.release().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors.map(messageOf)).toEqual(["b", "a"]);
  });

  test("runs an undo at once that comes after the release", async () => {
    const stack = new ReleaseStack();
    await stack.release();
    let undone = false;
    stack.push(() => {
      undone = true;
    });
    await stack.release();
    expect(undone).toBe(true);
  });
});

describe("deadline", () => {
  test("counts down and stops at zero; a budget of 0 never ends", () => {
    const clock = new ManualClock();
    const deadline = deadlineIn(clock, 100);
    clock.advance(30);
    expect(remaining(clock, deadline)).toBe(70);
    clock.advance(500);
    expect(remaining(clock, deadline)).toBe(0);
    expect(deadlineIn(clock, 0)).toBe(Number.POSITIVE_INFINITY);
  });

  test("within answers the value when it is in time and undefined when it is not", async () => {
    const clock = new ManualClock();
    expect(await within(clock, deadlineIn(clock, 50), Promise.resolve("value"))).toBe("value");
    expect(clock.pending).toBe(0);
    const never = within(clock, deadlineIn(clock, 50), new Promise<string>(() => {}));
    clock.advance(50);
    expect(await never).toBeUndefined();
  });

  test("within hands a failure on", async () => {
    const clock = new ManualClock();
    const failing = within(clock, deadlineIn(clock, 50), Promise.reject(new Error("no")));
    expect(await failing.catch(messageOf)).toBe("no");
  });
});

describe("clock", () => {
  test("the manual clock runs timers in the order of their time, nested ones too", () => {
    const clock = new ManualClock(1_000_000);
    const seen: string[] = [];
    clock.after(20, () => seen.push(`late ${clock.now()}`));
    clock.after(10, () => {
      seen.push(`early ${clock.now()}`);
      clock.after(5, () => seen.push(`nested ${clock.now()}`));
    });
    const cancel = clock.after(15, () => seen.push("cancelled"));
    cancel();
    clock.advance(30);
    expect(seen).toEqual(["early 10", "nested 15", "late 20"]);
    expect(clock.wall()).toBe(1_000_030);
  });

  test("the system clock calls back and can be cancelled", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    systemClock.after(Number.POSITIVE_INFINITY, () => resolve())();
    systemClock.after(0, resolve);
    await promise;
    expect(systemClock.now()).toBeGreaterThan(0);
  });
});

test("back-off grows by its factor up to its limit, and jitter only shortens it", () => {
  const settings = { firstMs: 100, maxMs: 1_000, factor: 2, jitter: 0.5 };
  expect([0, 1, 2, 3, 4, 5, 60].map((failures) => backoffMs(settings, failures, 0))).toEqual([
    0, 100, 200, 400, 800, 1_000, 1_000,
  ]);
  expect(backoffMs(settings, 3, 0.5)).toBe(300);
});

test("ids have the length asked for and only unmistakable characters", () => {
  expect(randomId(26)).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
  expect(new Set(Array.from({ length: 1_000 }, () => randomId(16))).size).toBe(1_000);
});

describe("errors", () => {
  test("carry a code, an exit code and a hint", () => {
    const error = new HeadraceError("port_taken", "Port 80 is taken.", {
      exit: Exit.USAGE,
      hint: "Use another.",
    });
    expect([error.code, error.exit, error.hint, error.message]).toEqual([
      "port_taken",
      2,
      "Use another.",
      "Port 80 is taken.",
    ]);
    expect(new HeadraceError("internal", "Oh.").exit).toBe(Exit.SYSTEM);
  });

  test("system codes are read from whatever was thrown", () => {
    expect(systemCode(Object.assign(new Error("x"), { code: "ENOENT" }))).toBe("ENOENT");
    expect([systemCode(null), systemCode("x"), systemCode({ code: 3 })]).toEqual(["", "", ""]);
  });
});
