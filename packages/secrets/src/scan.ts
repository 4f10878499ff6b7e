import { type Allowed, notAllowed } from "./allowed.ts";
import { describe, type Finding, type Match, type SecretFinder } from "./finder.ts";

/** One content to look at. */
export interface ScanJob {
	/** UTF-8 text. */
	readonly path: string;
	readonly content: Uint8Array;
}

/** Secrets of a content that `.secretsallow` does not allow, with their values. Pure but for secretlint, which is given. */
export async function matchesIn(
	finder: SecretFinder,
	{ path, content }: ScanJob,
	allowed: readonly Allowed[],
	secretlint: (content: Buffer) => Promise<Match[]>,
): Promise<Match[]> {
	const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
	const matches = finder.matches(bytes);
	for (const match of await secretlint(bytes))
		if (!matches.some(({ start, end }) => match.start < end && start < match.end)) matches.push(match);
	return notAllowed(
		allowed,
		path,
		matches.sort((a, b) => a.start - b.start),
	);
}

/** What is found, without values. @param salt for their hashes; null: none */
export async function findingsIn(
	finder: SecretFinder,
	job: ScanJob,
	allowed: readonly Allowed[],
	secretlint: (content: Buffer) => Promise<Match[]>,
	salt: string | null = null,
): Promise<Finding[]> {
	return describe(job.content, await matchesIn(finder, job, allowed, secretlint), salt);
}
