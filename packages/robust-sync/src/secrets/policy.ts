import { createHash } from "node:crypto";
import fs from "node:fs";
import { gitPathIfAllowed, type Repository, readDiskFile } from "@robust-sync/git";
import { parseAllowed } from "@robust-sync/secrets";
import type { CycleContext } from "../context/cycle-context.ts";
import { filesStamp, ownSecretsIntervalMs, readMachineSecrets } from "../context/machine-secrets.ts";
import { allowFile, localAllowFile } from "./memory.ts";

/** A larger allow file allows nothing. */
const maxAllowBytes = 1_048_576;

/** The workspace's list of allowed values; "": there is no such file; null: it is a link, too large, or cannot be read, and allows nothing. */
export function readAllowText(repository: Repository): string | null {
	const name = gitPathIfAllowed(allowFile);
	if (name === null) return null;
	try {
		const file = readDiskFile(repository, name);
		if (file === null) return "";
		return file.mode === "120000" || file.content.length > maxAllowBytes ? null : file.content.toString("utf8");
	} catch {
		return null;
	}
}

/** The list of this machine alone: values among its own secrets that are not secret. @returns as {@link readAllowText} */
export function readLocalAllowText(commonDirectory: string): string | null {
	try {
		const file = localAllowFile(commonDirectory);
		const stats = fs.lstatSync(file, { throwIfNoEntry: false });
		if (stats === undefined) return "";
		return stats.isFile() && stats.size <= maxAllowBytes ? fs.readFileSync(file, "utf8") : null;
	} catch {
		return null;
	}
}

/** Reads the rules for findings. After a change, everything is searched again. */
export async function refreshPolicy(context: CycleContext): Promise<void> {
	const { config, memory } = context;
	const { secrets, clock } = memory;
	const isOld = secrets.ownReadAt === null || clock.now() - secrets.ownReadAt > ownSecretsIntervalMs;
	if (isOld || filesStamp(secrets.ownFiles) !== secrets.ownStamp) {
		const { secrets: own, files, stamp } = await readMachineSecrets(context, secrets.envFiles);
		secrets.ownFiles = files;
		secrets.ownStamp = stamp;
		const key = createHash("sha256").update(JSON.stringify(own)).digest("hex");
		if (key !== secrets.ownKey) secrets.thread.setOwn(own);
		secrets.ownKey = key;
		secrets.ownReadAt = clock.now();
	}
	const text = readAllowText(context.repository) ?? "";
	const localText = readLocalAllowText(context.repository.commonDirectory) ?? "";
	const policy = JSON.stringify([config.syncSecrets, text, localText, secrets.ownKey]);
	if (policy === secrets.policy) return;
	const isFirst = secrets.policy === "";
	secrets.policy = policy;
	secrets.allowed = [...parseAllowed(text), ...parseAllowed(localText, true)];
	secrets.clean.clear();
	secrets.checked = null;
	secrets.messages.clear();
	if (!isFirst && (secrets.held.size > 0 || secrets.published.size > 0)) memory.dirty.invalidate();
	secrets.held.clear();
	secrets.published.clear();
}

/** Whether the search is on. */
export const isOn = ({ config }: CycleContext) => config.syncSecrets !== "off";

/** Reads the rules for findings, before a snapshot. @throws GitError */
export async function beginSecretSearch(context: CycleContext): Promise<void> {
	if (isOn(context)) await refreshPolicy(context);
	else {
		context.memory.secrets.held.clear();
		context.memory.secrets.published.clear();
	}
}
