import { displayPath, type GitPath, stampOf } from "@robust-sync/git";
import { type Finding, slowRule } from "@robust-sync/secrets";
import { shellPath } from "@robust-sync/service/printable";
import type { PublishedSecret, SkippedFile } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { cleanKey } from "./memory.ts";

/** The line number of a finding in the name of a file. */
export const inName = 0;

/** The place of a finding, in words. */
const placeOf = (path: string, { rule, line }: Pick<Finding, "rule" | "line">) =>
	line === inName ? `in the name ${JSON.stringify(path)} (${rule})` : `in ${JSON.stringify(path)}, line ${line} (${rule})`;

/** The key for a secret in a published name; one in the file's content is noted under the path itself. */
const nameKey = (path: string) => `${path}\0`;

/** @param why the reason for publishing it nevertheless @param shown the path with any secret masked */
export function notePublished(context: CycleContext, path: string, finding: Finding, why: string, shown = path): void {
	const { rule, line } = finding;
	const { published } = context.memory.secrets;
	const key = finding.line === inName ? nameKey(path) : path;
	const before = published.get(key);
	if (before?.rule !== rule || before.line !== line) context.log.warn(`a secret is ${placeOf(shown, finding)}: ${why}`);
	published.set(key, { stamp: "", shown, rule, line });
}

/** Logs that a version of a file is not published. */
export function reportHeld(context: CycleContext, path: string, finding: Finding): void {
	if (finding.rule === slowRule)
		context.log.warn(`the search of ${JSON.stringify(path)} for secrets takes too long: this version is not published`);
	else context.log.warn(`a secret is ${placeOf(path, finding)}: this version is not published`);
}

/** The reason why SYNC_SECRETS=warn publishes a secret. */
export const warnOnly = "it is published, because SYNC_SECRETS=warn";

/** Notes a finding at a path. @param shown the path with any secret masked @returns whether the file is to be held */
export function note(context: CycleContext, name: GitPath, finding: Finding, stamp: string, shown = displayPath(name)): boolean {
	if (context.config.syncSecrets !== "hold") {
		notePublished(context, displayPath(name), finding, warnOnly, shown);
		return false;
	}
	const { held, published } = context.memory.secrets;
	const { rule, line } = finding;
	const before = held.get(name);
	if (before?.rule !== rule || before.line !== line) reportHeld(context, shown, finding);
	held.set(name, { stamp, shown, rule, line });
	published.delete(displayPath(name));
	return true;
}

/** @param oid of the present content; absent: none */
export function letGo(context: CycleContext, name: GitPath, oid?: string): void {
	const { held, published, clean } = context.memory.secrets;
	const path = displayPath(name);
	const shown = held.get(name)?.shown;
	if (held.delete(name)) context.log.info(`no new secret is in ${JSON.stringify(shown)} any more: it is synced again`);
	if (oid === undefined || clean.has(cleanKey(context, oid, name))) published.delete(path);
	if (oid === undefined) published.delete(nameKey(path));
}

/**
 * Releases held files that equal HEAD's version now, or are gone.
 * @param changed paths that differ from HEAD @param among paths for which that is known; absent: all
 */
export function forgetUnchanged(context: CycleContext, changed: ReadonlySet<GitPath>, among?: readonly GitPath[]): void {
	const { held } = context.memory.secrets;
	for (const name of among ?? [...held.keys()]) {
		const noted = held.get(name);
		if (noted !== undefined && !changed.has(name) && noted.stamp !== stampOf(context.repository, name)) letGo(context, name);
	}
}

/** The remedy for a finding, in words. */
export function secretRemedy({ rule, line }: Pick<Finding, "rule" | "line">, path: string): string {
	if (line === inName)
		return `its name holds a secret (${rule}): rename it, or, if the name may be published, allow it: robust-sync --allow-secret, and the name`;
	if (rule === slowRule)
		return `its search for secrets takes too long: split it, or, if it holds none, robust-sync --allow-secret ${shellPath(path)}`;
	return `line ${line} holds a secret (${rule}): remove it from the file, or, if it may be published, robust-sync --allow-secret ${shellPath(path)}`;
}

/** Held files for `skipped`, as long as they have not changed. */
export function secretSkipped(context: CycleContext): SkippedFile[] {
	return [...context.memory.secrets.held.values()].map((noted) => ({
		path: noted.shown,
		reason: "secret",
		remedy: secretRemedy(noted, noted.shown),
	}));
}

/** Files published although they hold a secret (SYNC_SECRETS=warn). */
export function publishedSecrets(context: CycleContext): PublishedSecret[] {
	return [...context.memory.secrets.published.values()].map(({ shown, rule, line }) => ({ path: shown, rule, line }));
}
