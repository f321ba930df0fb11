import { type ErrorTable, Exit } from "../base/errors.ts";

/** What the admin API refuses with, and why its port cannot be opened. */
export const adminErrors = {
  admin_not_found: { status: 404, whose: "user", text: "The admin API has no such path." },
  admin_method_not_allowed: {
    status: 405,
    whose: "user",
    text: "The path exists, but not with this method. The allow header names those it has.",
  },
  admin_request_invalid: {
    status: 400,
    whose: "user",
    text: "A parameter or the body is not as docs/openapi.json declares it; the message says what.",
  },
  admin_body_too_large: {
    status: 413,
    whose: "user",
    text: "A body has more than 64 KiB.",
  },
  admin_host_refused: {
    status: 403,
    whose: "user",
    text: "The Host header names no loopback address, so the request may come from a web page (DNS rebinding).",
    hint: "Use 127.0.0.1 or localhost in the URL.",
  },
  admin_token_missing: {
    status: 401,
    whose: "user",
    text: "This address wants a token: Authorization: Bearer TOKEN.",
    hint: "The command takes it from $HEADRACE_ADMIN_TOKEN or --admin-token-file.",
  },
  admin_token_wrong: {
    status: 401,
    whose: "user",
    text: "The token is not the one that Headrace was started with.",
  },
  admin_origin_refused: {
    status: 403,
    whose: "user",
    text: "A web page of another origin may not act on Headrace.",
  },
  admin_service_unknown: {
    status: 404,
    whose: "user",
    text: "There is no service of this name.",
    hint: "headrace ps lists them.",
  },
  admin_instance_unknown: {
    status: 404,
    whose: "user",
    text: "There is no instance of this id.",
    hint: "headrace ps lists them.",
  },
  admin_no_logs: {
    status: 404,
    whose: "user",
    text: "No log lines are kept: --log-keep is 0, or they cannot be written.",
  },
  admin_starting: { status: 503, whose: "user", text: "The start is still under way." },
  admin_internal: {
    status: 500,
    whose: "system",
    text: "The admin API failed on its side; the log says more.",
  },
  admin_port_taken: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The admin port that was asked for is taken.",
    hint: "Write another --admin-port, 0 for a free one, or --no-admin.",
  },
  admin_address_invalid: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The admin address cannot be listened on.",
    hint: "Write an address of this machine with --admin-host or --admin-listen.",
  },
  admin_token_needed: {
    exit: Exit.USAGE,
    whose: "user",
    text: "Other machines could reach the admin API, and there is no token.",
    hint: "Give one with $HEADRACE_ADMIN_TOKEN or --admin-token-file, or listen on 127.0.0.1.",
  },
  admin_token_unusable: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The token for the admin API cannot be read, is too short, or holds characters that no header can.",
    hint: "Make one: openssl rand -hex 32",
  },
  target_unclear: {
    exit: Exit.USAGE,
    whose: "user",
    text: "It is not clear which Headrace a command means, or it cannot be reached that way.",
    hint: "headrace ps lists those that run here; --name and --admin choose.",
  },
  target_missing: {
    exit: Exit.USAGE,
    whose: "user",
    text: "No Headrace of this user runs here, or none of that name.",
    hint: "headrace ps lists those that run here.",
  },
  admin_unreachable: {
    exit: Exit.SYSTEM,
    whose: "user",
    text: "The admin API of a Headrace cannot be reached, or what answers there is no Headrace.",
  },
} as const satisfies ErrorTable;

export type AdminErrorCode = keyof typeof adminErrors;
