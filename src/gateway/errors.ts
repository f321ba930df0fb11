import type { Dismissal } from "./admission/line.ts";

/** Every refusal and failure that the pipeline answers with. Clients read the code in the body and in the `headrace-reason` header. */
export const GATEWAY_ERRORS = {
  HR_NO_ROUTE: {
    status: 404,
    whose: "user",
    text: "No service has a route for the request's host, path, method and headers.",
  },
  HR_SERVICE_STOPPED: {
    status: 503,
    whose: "user",
    text: "The service was stopped with headrace stop, and not started again.",
  },
  HR_LINE_FULL: {
    status: 429,
    whose: "system",
    text: "All slots are taken and as many requests wait as the line holds. Retry-After says when a place is likely.",
  },
  HR_LINE_WAIT: {
    status: 503,
    whose: "system",
    text: "The request waited as long as the line allows and no slot became free.",
  },
  HR_LIMIT_FULL: {
    status: 429,
    whose: "system",
    text: "As many requests of this kind are in flight as their limit allows, and as many requests wait as the line holds.",
  },
  HR_LIMIT_WAIT: {
    status: 503,
    whose: "system",
    text: "The request waited as long as the line allows, and all the time as many of its kind were in flight as their limit allows.",
  },
  HR_SHED: {
    status: 503,
    whose: "system",
    text: "More comes than can be done, and the request had waited too long for its class. Newer ones are served first until the line is empty.",
  },
  HR_TOO_LATE: {
    status: 503,
    whose: "system",
    text: "The request waited so long that the app could not have answered within its time any more, so it was not begun.",
  },
  HR_NO_INSTANCE: {
    status: 503,
    whose: "system",
    text: "No instance is ready, and the last ones to start have failed.",
  },
  HR_DEADLINE: {
    status: 504,
    whose: "user",
    text: "The app did not begin its response within the request's time, waiting included.",
  },
  HR_INSTANCE_LOST: {
    status: 502,
    whose: "system",
    text: "The instance ended while it worked on the request.",
  },
  HR_APP_INCOMPLETE: {
    status: 502,
    whose: "user",
    text: "The app broke off its response. The client saw the connection cut, unless nothing had been sent yet.",
  },
  HR_BAD_RESPONSE: {
    status: 502,
    whose: "user",
    text: "The app's response cannot be sent as HTTP.",
  },
  HR_SHUTTING_DOWN: {
    status: 503,
    whose: "system",
    text: "Headrace is stopping and the request had not been placed yet.",
  },
  HR_CLIENT_GONE: {
    status: 499,
    whose: "user",
    text: "The client closed its connection before the response was complete. Only logs and metrics show this one.",
  },
} as const satisfies Record<string, { status: number; whose: "user" | "system"; text: string }>;

export type GatewayErrorCode = keyof typeof GATEWAY_ERRORS;

/** What a request is answered with that is sent out of the line. */
export const DISMISSED: Readonly<Record<Dismissal, GatewayErrorCode>> = {
  waited: "HR_LINE_WAIT",
  shed: "HR_SHED",
  "too-late": "HR_TOO_LATE",
  displaced: "HR_LINE_FULL",
};

/** The same, of those that wait at a bulkhead. */
export const DISMISSED_AT_LIMIT: Readonly<Record<Dismissal, GatewayErrorCode>> = {
  ...DISMISSED,
  waited: "HR_LIMIT_WAIT",
  displaced: "HR_LIMIT_FULL",
};
