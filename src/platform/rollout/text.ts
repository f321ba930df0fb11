import type { RolloutReport } from "../../model/revision.ts";

/** Where a rollout is, without a full stop. @param targets the shares that hold once it went back */
export function rolloutText(
  service: string,
  { revision, state, weight, why }: RolloutReport,
  targets: string,
): string {
  const of = `${revision} of ${service}`;
  switch (state) {
    case "shifting":
      return `${of} has ${weight}% of the requests`;
    case "watching":
      return `${of} has all requests, and is watched`;
    case "done":
      return `${of} is rolled out${why === "" ? "" : `; ${why}`}`;
    case "went-back":
      return `${of} is worse, back to ${targets}: ${why}`;
    case "failed":
      return `The rollout of ${of} ended at ${weight}%: ${why}`;
    case "superseded":
      return `The rollout of ${of} ended at ${weight}%: ${why}`;
  }
}
