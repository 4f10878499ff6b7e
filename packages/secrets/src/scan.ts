import { type Allowed, covers, notAllowed } from "./allowed.ts";
import { describe, type Finding, type Inspected, type Match, type SecretFinder } from "./finder.ts";
import type { Excerpt } from "./secretlint-literals.ts";

/** One content to search. */
export interface ScanJob {
	/** UTF-8 text. */
	readonly path: string;
	readonly content: Uint8Array;
}

/** secretlint's rules, as a function: one thread has them, and its parent does not. */
export type Secretlint = (content: Buffer, excerpts: readonly Excerpt[]) => Promise<Match[]>;

/** The secrets of a content that `.secretsallow` does not allow, and the parts for secretlint. Allowed values never count towards the limit. */
export function inspectAllowed(finder: SecretFinder, { path, content }: ScanJob, allowed: readonly Allowed[]): Inspected {
	// Most contents have no match: then the patterns need not be compared with the path.
	let here: readonly Allowed[] | null = null;
	return finder.inspect(content, undefined, (match) => {
		here ??= allowed.filter(({ glob }) => covers(glob, path));
		return here.length > 0 && notAllowed(here, path, [match]).length === 0;
	});
}

/** Secrets of a content that `.secretsallow` does not allow, with their values. Pure but for secretlint, which is a parameter. */
async function matchesIn(finder: SecretFinder, job: ScanJob, allowed: readonly Allowed[], secretlint: Secretlint): Promise<Match[]> {
	const { bytes, matches, skipped, excerpts } = inspectAllowed(finder, job, allowed);
	const more = excerpts.length === 0 ? [] : notAllowed(allowed, job.path, await secretlint(bytes, excerpts));
	for (const match of more)
		if (![...matches, ...skipped].some(({ start, end }) => match.start < end && start < match.end)) matches.push(match);
	return matches.sort((a, b) => a.start - b.start);
}

/** The findings, without values. @param salt for their hashes; null: none */
export async function findingsIn(
	finder: SecretFinder,
	job: ScanJob,
	allowed: readonly Allowed[],
	secretlint: Secretlint,
	salt: string | null = null,
): Promise<Finding[]> {
	return describe(job.content, await matchesIn(finder, job, allowed, secretlint), salt);
}
