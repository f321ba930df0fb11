/** Every metric and log event of the gateway room, with one sentence each. */

/** Upper bounds of the duration histograms, in seconds. */
export const BOUNDS_S = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
] as const satisfies readonly number[];

export const COUNTERS = {
  headrace_retries_total: "Requests placed again because their instance ended before it had begun them.",
  headrace_retries_denied_total:
    "Requests that were not placed again because too many were: a fifth of the requests and ten a second may be.",
  headrace_deadlines_missed_total: "Requests that an app had begun and did not answer within their time.",
  headrace_instance_connections_lost_total: "Connections to instances that ended unasked.",
  headrace_client_connections_accepted_total: "Client connections accepted.",
  headrace_slot_seconds_total: "Time that finished requests held their slots.",
  headrace_slots_given_back_total: "Requests that held a slot and are over.",
  headrace_shadow_same_total: "Mirrored requests that the shadow answered as they were answered.",
  headrace_shadow_status_differences_total: "Mirrored requests that the shadow answered with another status.",
  headrace_shadow_body_differences_total: "Mirrored requests that the shadow answered with another body.",
  headrace_shadow_failures_total:
    "Mirrored requests that the shadow's app did not answer: refused, cut off, too late.",
  headrace_shadow_skipped_total:
    "Requests that were not mirrored because too many mirrored ones were under way.",
  headrace_response_bytes_total: "Bytes of responses sent to clients, heads included.",
} as const;

export const GAUGES = {
  headrace_client_connections: "Client connections that are open.",
  headrace_websockets: "WebSockets that are open.",
  headrace_requests_in_gateway: "Requests that a gateway has taken in and not finished.",
  headrace_requests_unanswered: "Those of them whose response has not begun.",
} as const;

export const HISTOGRAMS = {
  headrace_request_duration_seconds: "From the complete request head to the last byte of the response.",
  headrace_queue_duration_seconds: "Waiting in the line for a slot.",
  headrace_cold_request_wait_seconds:
    "Waiting of requests that came before the instance that served them was ready.",
  headrace_cold_request_first_byte_seconds: "From such a request to the first byte of its response.",
  headrace_service_duration_seconds: "From the hand-over to the instance to the first byte of its response.",
} as const;

export type Counter = keyof typeof COUNTERS;
export type Gauge = keyof typeof GAUGES;
export type Histogram = keyof typeof HISTOGRAMS;

/** Log events. */
export const EVENTS = {
  "gateway.ready": "A gateway process listens.",
  "gateway.instance_lost": "The connection to an instance ended unasked.",
  "gateway.protocol_error":
    "An instance sent a frame that the worker protocol does not allow; its connection was closed.",
  "gateway.bad_response": "An app's response cannot be sent as HTTP; the client got a 502, or was cut off.",
  "gateway.connection_failed": "A client connection ended in an internal error; it was cut.",
  "gateway.connections_full":
    "Client connections are turned away: the process is near its limit of open files.",
  "gateway.internal_port":
    "A port by which services call each other cannot be listened on; clients are served all the same.",
  "gateway.shadow_differs":
    "A shadow answered a mirrored request otherwise than it was answered; at most one a second is told.",
  "gateway.request_stuck": "A request is over its time and its app has not returned within the grace.",
} as const;
