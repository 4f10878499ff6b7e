export {
	type CommonOptions,
	createProgram,
	defineVerbs,
	notEmpty,
	type Outcome,
	Program,
	runProgram,
	type Verb,
	wholeNumber,
} from "./command-line.ts";
export { CommandError, ExitCode } from "./exit-codes.ts";
export { runService, type ServiceControl } from "./lifecycle.ts";
export { createLogger, type Logger } from "./log.ts";
export { paint } from "./paint.ts";
export { printable, printableJson, shellWord } from "./printable.ts";
export { redact } from "./redact.ts";
export { stopProcess } from "./stop-process.ts";
export { supervise } from "./supervisor.ts";
export { version } from "./version.ts";
export { needsSupervisor } from "./worker.ts";
