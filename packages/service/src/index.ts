export {
	type CommonOptions,
	createProgram,
	defineVerbs,
	type Fallback,
	notEmpty,
	type Outcome,
	Program,
	runProgram,
	type Verb,
	wholeNumber,
} from "./command-line.ts";
export { CommandError, ExitCode } from "./exit-codes.ts";
export { runService, type ServiceControl, type ServiceHooks, type ServiceSurroundings } from "./lifecycle.ts";
export { createLogger, type Logger, type LogLevel, type LogOptions } from "./log.ts";
export { paint } from "./paint.ts";
export { printable, printableJson, shellWord } from "./printable.ts";
export { redact } from "./redact.ts";
export { type StopOptions, stopProcess } from "./stop-process.ts";
export { type SuperviseOptions, type SupervisorClock, supervise, type WorkerProcess } from "./supervisor.ts";
export { version } from "./version.ts";
export { needsSupervisor } from "./worker.ts";
