import type { LogSink } from "../model/log.ts";

/** Says of every record which service and which revision it is about. */
export function serviceLog(log: LogSink, service: string, revision: string): LogSink {
  const about = { "service.name": service, "service.version": revision };
  return (record) => log({ ...record, fields: { ...about, ...record.fields } });
}
