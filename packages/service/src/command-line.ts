import { Command, CommanderError, InvalidArgumentError, type Option } from "commander";
import { exactArguments } from "./exact-operands.ts";
import { CommandError, ExitCode } from "./exit-codes.ts";
import { printable } from "./printable.ts";
import { interfaceVariable, programInterface } from "./program-interface.ts";
import { redact } from "./redact.ts";
import { copyOutput } from "./service-output.ts";
import { versionLine } from "./version.ts";

export { Command, InvalidArgumentError, Option } from "commander";

/** Options that every executable has. */
export interface CommonOptions {
	/** --workspace DIR as given, not yet resolved. */
	workspace?: string;
	verbose?: boolean;
}

/** The result of a command: an exit code, or nothing for 0. */
// biome-ignore lint/suspicious/noConfusingVoidType: an action that returns nothing is the usual case
export type Outcome = number | void;

/** One mode of an executable, chosen by a flag; at most one in a call. */
export interface Verb<O extends object = Record<string, unknown>> {
	/** As commander writes them: "--once", "--send <file>". */
	flags: string;
	description: string;
	/** Long names of options ("--dry-run") that belong to this verb: together with a verb that does not list them they are refused. */
	options?: readonly string[];
	/** The number of its operands; without this none. `usage` is shown in the help: "SAVED [PATH]". */
	operands?: { usage: string; min: number; max: number };
	/** Runs the mode. Returns the exit code (nothing: 0); throws CommandError to fail with a message. */
	run(options: O & CommonOptions, operands: string[]): Promise<Outcome> | Outcome;
}

/** The default without a verb: an action without a flag, or one of the verbs. */
export type Fallback<O extends object = Record<string, unknown>> = Pick<Verb<O>, "options" | "operands" | "run">;

/** A commander Command whose action may return an exit code. */
export class Program extends Command {
	/** The exit code that the action returned. */
	outcome: number = ExitCode.ok;

	// biome-ignore lint/suspicious/noExplicitAny: commander's own signature
	override action(run: (this: this, ...args: any[]) => Promise<Outcome> | Outcome): this {
		const program = this;
		return super.action(async function (this: Command, ...args) {
			const outcome = await run.apply(program, args);
			if (typeof outcome === "number") program.outcome = outcome;
		});
	}
}

/**
 * A command preconfigured with --help, --version, --workspace DIR and --verbose. An unknown flag, an excess
 * argument or a missing value is one line on stderr and exit code 2 (by {@link runProgram}).
 *
 * @param name the executable's name
 * @param description one line for the help
 */
export function createProgram(name: string, description: string): Program {
	return new Program(name)
		.description(description)
		.version(versionLine(name), "-V, --version", "print the version")
		.helpOption("-h, --help", "print this help")
		.option("--workspace <dir>", "directory being synced (default: $SYNC_WORKSPACE, else found from the current directory)", notEmpty)
		.option("--verbose", "log more, and print stack traces of failures")
		.allowExcessArguments(false)
		.exitOverride()
		.configureOutput({ outputError: () => {} });
}

/** Option parser: any text but the empty one. */
export function notEmpty(value: string): string {
	if (value === "") throw new InvalidArgumentError("It must not be empty.");
	return value;
}

/**
 * Option parser for whole numbers: `program.option("--port <n>", "...", wholeNumber(1, 65535))`.
 *
 * @param min smallest accepted value
 * @param max largest accepted value
 * @returns a parser that throws InvalidArgumentError (exit code 2) for anything else
 */
export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): (value: string) => number {
	return (value) => {
		const number = Number(value);
		if (!/^\d+$/.test(value) || number < min || number > max) {
			const accepted = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
			throw new InvalidArgumentError(`It must be a whole number: ${accepted}.`);
		}
		return number;
	};
}

/**
 * Gives the program verbs as flags, of which a call names at most one; two at once are exit code 2, as is an
 * option or operand that the verb does not take.
 *
 * @param program from {@link createProgram}, with its options already added
 * @param verbs its modes
 * @param fallback the default without a verb: one of the verbs, or an action of its own
 */
export function defineVerbs<O extends object = Record<string, unknown>>(
	program: Program,
	verbs: readonly Verb<O>[],
	fallback: Fallback<O>,
): Program {
	const keys = new Map<string, Verb<O>>();
	for (const verb of verbs) {
		const option = program.createOption(verb.flags, verb.description);
		if (option.required) option.argParser(notEmpty);
		program.addOption(option);
		keys.set(option.attributeName(), verb);
	}
	const all: Fallback<O>[] = [...verbs, fallback];
	const owned = new Set(all.flatMap((verb) => verb.options ?? []));
	if (all.some((verb) => verb.operands)) {
		const usages = [...new Set(all.flatMap((verb) => (verb.operands ? [verb.operands.usage] : [])))];
		program.argument("[operands...]").usage(`[options] ${usages.map((usage) => `[${usage}]`).join(" ")}`);
	}
	const operandsOf = new Map(verbs.flatMap((verb) => (verb.operands ? [[verb.flags, verb.operands.usage] as const] : [])));
	program.configureHelp({
		optionTerm: ({ flags }) => (operandsOf.has(flags) ? `${flags} ${operandsOf.get(flags)}` : flags),
	});

	return program.action(async (...args: unknown[]) => {
		const operands = Array.isArray(args[0]) ? (args[0] as string[]) : [];
		const named = givenOptions(program).filter((option) => keys.has(option.attributeName()));
		if (named.length > 1) {
			throw new CommandError(`${named.map(flagOf).join(" and ")} cannot be used together; see ${program.name()} --help`, ExitCode.usage);
		}
		const verb = named[0] ? keys.get(named[0].attributeName())! : fallback;
		const title = named[0] ? flagOf(named[0]) : program.name();
		for (const option of givenOptions(program)) {
			const flag = flagOf(option);
			if (owned.has(flag) && !verb.options?.includes(flag)) {
				const takers = verbs.filter((other) => other.options?.includes(flag)).map((other) => flagOf(program.createOption(other.flags)));
				throw new CommandError(`${flag} goes with ${takers.join(" or ")}; see ${program.name()} --help`, ExitCode.usage);
			}
		}
		const { min, max, usage } = verb.operands ?? { min: 0, max: 0, usage: "" };
		if (operands.length > max) {
			throw new CommandError(unexpectedArgument(program, operands[max] ?? ""), ExitCode.usage);
		}
		if (operands.length < min) throw new CommandError(`${title} takes ${usage}; see ${program.name()} --help`, ExitCode.usage);
		return verb.run(program.opts<O & CommonOptions>(), operands);
	});
}

/** A verb without its dashes gets a hint: users of other tools leave them out. */
function unexpectedArgument(program: Command, argument: string): string {
	const isFlag = program.options.some((option) => option.long === `--${argument}`) || ["help", "version"].includes(argument);
	const hint = isFlag ? `: did you mean ${program.name()} --${argument}?` : `; see ${program.name()} --help`;
	return `unexpected argument '${printable(argument)}'${hint}`;
}

function givenOptions(program: Command): Option[] {
	return program.options.filter((option) => program.getOptionValueSource(option.attributeName()) === "cli");
}

function flagOf(option: Option): string {
	return option.long ?? option.short ?? option.flags;
}

/**
 * Parses and runs, then exits. Thrown errors become exit codes in this one place: a CommandError its own code, an
 * error with an `exitCode` of the contract that code, anything else 1; each as one line on stderr, with a stack
 * only under --verbose. stdout is flushed first; a reader that went away (EPIPE) is no failure.
 *
 * @param program from {@link createProgram}
 * @param argv node, script and arguments, like process.argv
 */
export async function runProgram(program: Command, argv: string[] = process.argv): Promise<void> {
	copyOutput();
	process.stdout.on("error", (error: NodeJS.ErrnoException) => {
		if (error.code === "EPIPE") return;
		process.exitCode = ExitCode.failed;
		complain(program, `cannot write to standard output: ${error.message}`);
	});
	process.stderr.on("error", () => {});
	for (const event of ["uncaughtException", "unhandledRejection"] as const) {
		process.on(event, (error: unknown) => {
			// A running service reports its failure itself, in the log as well.
			if (process.listenerCount(event) === 1) process.exit(report(program, error, argv));
		});
	}
	let code: number = ExitCode.ok;
	try {
		if (process.env[interfaceVariable]) {
			process.stdout.write(`${JSON.stringify(programInterface(program))}\n`);
			process.exit(ExitCode.ok);
		}
		refuseFlagsAsValues(program, argv.slice(2));
		await program.parseAsync(exactArguments(argv));
		if (program instanceof Program) code = program.outcome;
	} catch (error) {
		code = report(program, error, argv);
	}
	await Promise.all([flush(process.stdout), flush(process.stderr)]);
	process.exit(code === ExitCode.ok ? (process.exitCode ?? code) : code);
}

/** `--interval --once` would take "--once" as the interval: a value that is one of our own flags is a missing value. */
function refuseFlagsAsValues(program: Command, args: string[]): void {
	const flags = new Map(
		program.options.flatMap((option) => [option.long, option.short].flatMap((flag) => (flag ? [[flag, option] as const] : []))),
	);
	for (let i = 0; i < args.length && args[i] !== "--"; i++) {
		const option = flags.get(args[i]!);
		if (!option?.required) continue;
		const value = args[++i];
		if (value !== undefined && (flags.has(value) || value === "--help")) {
			throw new CommandError(`option '${option.flags}' argument missing; see ${program.name()} --help`, ExitCode.usage);
		}
	}
}

function report(program: Command, error: unknown, argv: string[]): number {
	if (error instanceof CommanderError) {
		if (error.exitCode === 0) return ExitCode.ok;
		if (error.code === "commander.excessArguments") {
			complain(program, unexpectedArgument(program, program.args[0] ?? ""));
			return ExitCode.usage;
		}
		const message = error.message.replace(/^error: /, "").replace(/\n\(Did (you mean .*?)\)$/s, "; did $1");
		complain(program, `${message.replace(/\.$/, "")}; see ${program.name()} --help`);
		return ExitCode.usage;
	}
	const message = error instanceof Error ? withAdvice(error.message || error.name, error) : String(error);
	for (const line of linesOf(error) ?? [message]) complain(program, line);
	if (error instanceof Error && (program.opts<CommonOptions>().verbose || argv.includes("--verbose"))) {
		process.stderr.write(`${stackLines(redact(stackOf(error))).join("\n")}\n`);
	}
	return exitCodeOf(error);
}

const advices: Readonly<Record<string, string>> = {
	ENOSPC: "the disk is full: free some space",
	EDQUOT: "the disk quota is used up: free some space",
	EROFS: "the file system is read-only: mount it read-write",
};

/** Adds the remedy to an error of the file system. */
function withAdvice(message: string, { code = "" }: NodeJS.ErrnoException): string {
	const advice = message.startsWith(`${code}:`) ? advices[code] : undefined;
	return advice === undefined ? message : `${advice} (${message})`;
}

/** An error whose explanation needs more than one line provides it itself. */
function linesOf(error: unknown): readonly string[] | null {
	const lines = typeof error === "object" && error !== null && "lines" in error ? error.lines : null;
	return Array.isArray(lines) && lines.every((line) => typeof line === "string") ? lines : null;
}

/** The exit code for an error: its own if it is one of the contract's, else 1. */
function exitCodeOf(error: unknown): number {
	if (error instanceof CommandError) return error.exitCode;
	const code = typeof error === "object" && error !== null && "exitCode" in error ? error.exitCode : undefined;
	// Errors of other programs carry their exit codes under the same name: only ours mean anything here.
	return typeof code === "number" && code !== ExitCode.ok && (Object.values(ExitCode) as number[]).includes(code) ? code : ExitCode.failed;
}

function stackOf(error: Error): string {
	const stack = error.stack ?? String(error);
	return error.cause instanceof Error ? `${stack}\ncaused by: ${stackOf(error.cause)}` : stack;
}

/** A line of the message itself is indented: it must not look like a line of ours. */
function stackLines(stack: string): string[] {
	return stack.split("\n").map((line, at) => (at === 0 || /^( {4}at|caused by:) /.test(line) ? printable(line) : `    ${printable(line)}`));
}

function complain(program: Command, message: string): void {
	const line = message
		.split(/\s*[\r\n]+\s*/)
		.filter(Boolean)
		.join("; ");
	process.stderr.write(`${program.name()}: ${printable(redact(line))}\n`);
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
	return new Promise((resolve) => {
		if (stream.destroyed || !stream.writable) return resolve();
		stream.write("", () => resolve());
	});
}
