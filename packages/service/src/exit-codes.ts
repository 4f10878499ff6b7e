/** The exit codes every executable shares (contract, section 3). 75 is EX_TEMPFAIL of sysexits.h: "try again". */
export const ExitCode = { ok: 0, failed: 1, usage: 2, notRunning: 3, locked: 4, restart: 75 } as const;

/** Error with an exit code and a one-line message; printed as `<program>: <message>` on stderr, no stack. */
export class CommandError extends Error {
	readonly exitCode: number;

	/**
	 * @param message one line: the problem and the remedy
	 * @param exitCode one of {@link ExitCode}
	 * @param options the error behind it, printed only with --verbose
	 */
	constructor(message: string, exitCode: number, options?: { cause?: unknown }) {
		super(message, options);
		this.name = "CommandError";
		this.exitCode = exitCode;
	}
}
