export { errors, type StartFailure } from "./errors.ts";
export { findInterpreter, type Interpreter, type InterpreterSearch } from "./local/interpreter.ts";
export { type InstancePart, measure, type Usage } from "./local/usage.ts";
export { type WatchSettings, watchFiles } from "./local/watch.ts";
export { Pool, type PoolStatus } from "./pool.ts";
export type { Exit, OutputLine, PoolEvent, PoolPorts, Route, Routes, RowLease, Rows } from "./ports.ts";
export { type RestartSettings, restartDefaults } from "./restart.ts";
export type { PoolSpec, Preload } from "./settings.ts";
export { events, logRecord } from "./signals.ts";
