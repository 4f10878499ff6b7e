import type { Command } from "commander";

/** If this is set in the environment, the executable prints its {@link ProgramInterface} and exits. */
export const interfaceVariable = "ROBUST_SYNC_PRINT_INTERFACE";

/** The command line of a program, for manual pages and shell completions. */
export interface ProgramInterface {
	name: string;
	description: string;
	/** Operands as shown in the usage line; empty when it takes none. */
	operands: string;
	options: {
		/** "-h" */
		short?: string;
		/** "--help" */
		long?: string;
		/** "<dir>" when a value follows */
		argument?: string;
		description: string;
	}[];
}

/** Reads the definitions of a program, in the order of its help. */
export function programInterface(program: Command): ProgramInterface {
	const help = program.createHelp();
	return {
		name: program.name(),
		description: program.description(),
		operands: program.usage().replace(/^\[options\] ?/, ""),
		options: help.visibleOptions(program).map((option) => {
			const argument = /[<[].*[\]>]/.exec(option.flags)?.[0];
			return {
				...(option.short ? { short: option.short } : {}),
				...(option.long ? { long: option.long } : {}),
				...(argument ? { argument } : {}),
				description: option.description,
			};
		}),
	};
}
