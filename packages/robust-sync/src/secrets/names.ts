import { displayPath, type GitPath, readTreePaths } from "@robust-sync/git";
import type { Finding } from "@robust-sync/secrets";
import type { Items } from "@robust-sync/system/items";
import type { CycleContext } from "../context/cycle-context.ts";
import { knownTip } from "../remote/upstream.ts";
import { inName, notePublished } from "./notes.ts";

/** A secret in the name of a file, and the name without it. */
export interface SecretName {
	readonly finding: Finding;
	/** The name as shown to people: `keys/….txt`. */
	readonly shown: string;
}

/** A text with its findings masked. Columns count bytes. */
export function masked(text: string, findings: readonly Pick<Finding, "column" | "endColumn">[], mask: string): string {
	let bytes = Buffer.from(text);
	for (const { column, endColumn } of [...findings].sort((a, b) => b.column - a.column))
		bytes = Buffer.concat([bytes.subarray(0, column - 1), Buffer.from(mask), bytes.subarray(endColumn - 1)]);
	return bytes.toString("utf8");
}

/** Names in one search. */
const namesAtOnce = 10_000;

/** Adds those of a few names that hold a secret to `found`. @throws ScanError */
async function search(context: CycleContext, names: readonly GitPath[], found: Map<GitPath, SecretName>): Promise<void> {
	const { thread, allowed } = context.memory.secrets;
	const paths = names.map((name) => displayPath(name).replaceAll("\n", "?"));
	const [all = []] = await thread.scan([{ path: "names", content: Buffer.from(paths.join("\n")) }], []);
	if (all.length === 0) return;
	// Searched again one by one: a finding across two names is not a secret, and a path may be allowed.
	const answers = await thread.scan(
		paths.map((path) => ({ path, content: Buffer.from(path) })),
		allowed,
	);
	for (const [index, name] of names.entries()) {
		const findings = answers[index] ?? [];
		const shown = masked(paths[index] ?? "", findings, "…");
		if (findings[0]) found.set(name, { finding: { ...findings[0], line: inName }, shown });
	}
}

/**
 * Names of files that hold a secret. A published name cannot be kept from the hub any more: it is reported.
 * @throws ScanError, GitError
 */
export async function secretNames(context: CycleContext, names: Items<GitPath>): Promise<ReadonlyMap<GitPath, SecretName>> {
	const found = new Map<GitPath, SecretName>();
	for (let start = 0; start < names.length; start += namesAtOnce) await search(context, names.slice(start, start + namesAtOnce), found);
	if (found.size === 0) return found;
	const tip = await knownTip(context);
	if (tip === null) return found;
	for (const name of (await readTreePaths(context.repository, tip, [...found.keys()])).keys()) {
		const published = found.get(name);
		const why = "it is published under that name already: docs/leaks.md";
		if (published) notePublished(context, displayPath(name), published.finding, why, published.shown);
		found.delete(name);
	}
	return found;
}
