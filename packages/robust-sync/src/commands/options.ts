import { printableJson } from "@robust-sync/service/printable";

/** The flags of robust-sync, as parsed from the command line. */
export interface Options {
	workspace?: string;
	verbose?: boolean;
	json?: boolean;
	dryRun?: boolean;
	interval?: string;
	send?: string;
	forgetMount?: string;
	forgetValue?: string;
	check?: boolean;
	promote?: string;
	allowSecret?: string;
	secrets?: string;
	exclude?: string;
	yes?: boolean;
	node?: string;
	/** true: without a list. */
	peers?: string | true;
	/** true: without a duration. */
	pause?: string | true;
	timeout?: string;
	since?: string;
	until?: string;
	by?: string;
	all?: boolean;
	limit?: number;
	diff?: boolean;
	at?: string;
	to?: string;
	deletedOnly?: boolean;
	annotate?: string;
	agent?: string;
	run?: string;
}

/** A line on standard output. */
export const print = (text: string): boolean => process.stdout.write(`${text}\n`);

/** One JSON document on standard output. */
export const printJson = (value: unknown): boolean => print(printableJson(value, 2));
