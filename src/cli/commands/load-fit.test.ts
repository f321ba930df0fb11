import { describe, expect, test } from "bun:test";
import { parse } from "../../config/parse.ts";
import { kindOf, type LoadKind, unfitFlags } from "./load-fit.ts";
import { loadOptions } from "./load-options.ts";

const unfit = (line: string, kind?: LoadKind) => {
  const { origins, values, problems } = parse(loadOptions, line.split(" "), {});
  expect(problems).toEqual([]);
  return unfitFlags(kind ?? kindOf(values), origins).map(({ subject }) => subject);
};

describe("flags that say nothing of a load", () => {
  test("are none of those that the usual loads have", () => {
    for (const line of [
      "http://a/ --rate 5 -d 5s --arrivals poisson --max-connections 9 --warmup 1s --json x",
      "http://a/ -c 5 -n 9 -d 5s --no-keepalive -k --expect-status 200",
      "http://a/ -c 5 --hold 5s --open-rate 9 --rate 5 --connect-to a:1",
      "http://a/ --find-max --slo p99<1s --rate 5 --step-duration 5s",
      "--compare a b --json x",
    ])
      expect(unfit(line)).toEqual([]);
    expect(unfit("a.py --users 5 --spawn-rate 5 --host http://a -H a:b -k", "users")).toEqual([]);
    expect(unfit("a.py --users 5 --rate 5 --arrivals poisson --seed 5", "iterations")).toEqual([]);
    expect(unfit("a.py --users 5 --spawn-rate 5 --host http://a", "locust")).toEqual([]);
  });

  test("are told, each as it was written", () => {
    expect(unfit("http://a/ -c 5 --arrivals poisson --max-connections 9 --open-rate 5")).toEqual([
      "--open-rate",
      "--arrivals",
      "--max-connections",
    ]);
    expect(unfit("http://a/ -c 5 --hold 5s -n 5 -d 5s --arrivals poisson")).toEqual([
      "-n",
      "-d",
      "--arrivals",
    ]);
    expect(unfit("http://a/ --users 5 --host http://a")).toEqual(["--users", "--host"]);
    expect(unfit("--compare a b --html x --rate 5")).toEqual(["--rate", "--html"]);
    const scenario = "a.py --users 5 --no-keepalive --slo p99<5 --max-connections 5 --open-rate 5 --data x";
    expect(unfit(scenario, "users")).toEqual([
      "--open-rate",
      "--max-connections",
      "--data",
      "--no-keepalive",
      "--slo",
    ]);
    expect(unfit("a.py --rate 5 -H a:b", "locust")).toEqual(["--rate", "-H"]);
  });
});
