import type { Oid } from "@robust-sync/git";
import { type Finding, ScanThread } from "@robust-sync/secrets";
import { shellPath } from "@robust-sync/service/printable";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import { type CycleContext, openWorkspaceRepository } from "../context/cycle-context.ts";
import { machineSecrets } from "../context/machine-secrets.ts";
import { cleanKey, noteClean } from "./memory.ts";
import { masked } from "./names.ts";
import { inName, notePublished, reportHeld, secretRemedy, warnOnly } from "./notes.ts";
import { isOn, refreshPolicy } from "./policy.ts";

/** The place of a secret in a text that is no file: a message, an annotation. Null: none. @throws ScanError */
export async function secretIn(context: CycleContext, path: string, content: Buffer): Promise<Finding | null> {
	if (!isOn(context)) return null;
	await refreshPolicy(context);
	const [findings = []] = await context.memory.secrets.thread.scan([{ path, content }], context.memory.secrets.allowed);
	return findings[0] ?? null;
}

/** The same without a cycle: for operands of a command. @throws ScanError, GitError */
export async function secretInTexts(paths: WorkspacePaths, config: Config, texts: readonly (string | null)[]): Promise<Finding | null> {
	const repository = await openWorkspaceRepository(paths, config);
	const thread = new ScanThread();
	thread.setOwn(await machineSecrets({ repository, paths }));
	const [findings = []] = await thread.scan([{ path: "annotation", content: Buffer.from(texts.join("\n")) }], []);
	return findings[0] ?? null;
}

/**
 * Whether a message is held because of a secret in it or in its name, and the remedy. A message that is published nevertheless is logged once.
 * @param shown its path for people @returns its path without the secret, and the remedy; null: it is delivered
 * @throws ScanError
 */
export async function heldMessage(
	context: CycleContext,
	shown: string,
	blob: Oid,
	content: Buffer,
): Promise<{ readonly path: string; readonly remedy: string } | null> {
	if (!isOn(context)) return null;
	await refreshPolicy(context);
	const { messages, clean, thread, allowed } = context.memory.secrets;
	const key = `${blob} ${shown}`;
	if (clean.has(cleanKey(context, key, shown))) return null;
	const known = messages.get(key);
	const name = shown.replaceAll("\n", "?");
	const [inItsName = [], inContent = []] =
		known === undefined
			? await thread.scan(
					[
						{ path: shown, content: Buffer.from(name) },
						{ path: shown, content },
					],
					allowed,
				)
			: [];
	const first = inItsName[0] ? { ...inItsName[0], line: inName } : inContent[0];
	const noted = known ?? (first && { finding: first, path: masked(name, inItsName, "…") });
	if (noted === undefined) {
		noteClean(context, key, shown);
		// The commit step does not search its content again.
		noteClean(context, blob, shown);
		return null;
	}
	const { finding, path } = noted;
	const isHeld = context.config.syncSecrets === "hold";
	if (known === undefined && isHeld) reportHeld(context, path, finding);
	else if (known === undefined) notePublished(context, shown, finding, warnOnly, path);
	messages.set(key, noted);
	if (!isHeld) return null;
	const remedy =
		finding.line === inName
			? secretRemedy(finding, path)
			: `line ${finding.line} holds a secret (${finding.rule}): remove the message, or allow it: robust-sync --allow-secret ${shellPath(path)}`;
	return { path, remedy };
}
