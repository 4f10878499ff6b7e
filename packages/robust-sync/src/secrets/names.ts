import { displayPath, type GitPath, isArgument, readTreePaths } from "@robust-sync/git";
import type { Finding } from "@robust-sync/secrets";
import type { CycleContext } from "../context/cycle-context.ts";
import { knownTip } from "../remote/upstream.ts";
import { inName, notePublished } from "./notes.ts";

/** A secret in the name of a file, and the name without it. */
export interface SecretName {
	readonly finding: Finding;
	/** For people: `keys/….txt`. */
	readonly shown: string;
}

/** A text without what was found in it, whose columns are those of bytes. */
export function masked(text: string, findings: readonly Pick<Finding, "column" | "endColumn">[], mask: string): string {
	let bytes = Buffer.from(text);
	for (const { column, endColumn } of [...findings].sort((a, b) => b.column - a.column))
		bytes = Buffer.concat([bytes.subarray(0, column - 1), Buffer.from(mask), bytes.subarray(endColumn - 1)]);
	return bytes.toString("utf8");
}

/**
 * Names of files that hold a secret. A name that is published already cannot be kept from the hub any more: it is reported.
 * @throws ScanError, GitError
 */
export async function secretNames(context: CycleContext, names: readonly GitPath[]): Promise<ReadonlyMap<GitPath, SecretName>> {
	const { thread, allowed } = context.memory.secrets;
	const found = new Map<GitPath, SecretName>();
	const shown = [...new Set(names)].map((name) => ({ name, path: displayPath(name).replaceAll("\n", "?") }));
	const [all = []] = await thread.scan([{ path: "names", content: Buffer.from(shown.map((one) => one.path).join("\n")) }], []);
	if (all.length === 0) return found;
	// Each by itself: what two names seem to say together is none, and a path may be allowed.
	const answers = await thread.scan(
		shown.map(({ path }) => ({ path, content: Buffer.from(path) })),
		allowed,
	);
	for (const [index, { name, path }] of shown.entries()) {
		const findings = answers[index] ?? [];
		if (findings[0]) found.set(name, { finding: { ...findings[0], line: inName }, shown: masked(path, findings, "…") });
	}
	const tip = await knownTip(context);
	const asked = [...found.keys()].filter(isArgument);
	if (tip === null || asked.length === 0) return found;
	for (const name of (await readTreePaths(context.repository, tip, asked)).keys()) {
		const published = found.get(name);
		if (published) notePublished(context, published.shown, published.finding, "it is published under that name already: docs/leaks.md");
		found.delete(name);
	}
	return found;
}
