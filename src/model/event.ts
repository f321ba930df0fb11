import type { LogRecord } from "./log.ts";

/** One event of the admin API's `/v1/events`: a log record with a place in the order of all. */
export interface EventReport extends LogRecord {
  /** `RUN-NUMBER`: events of one run of Headrace count up from 1. */
  readonly id: string;
}
