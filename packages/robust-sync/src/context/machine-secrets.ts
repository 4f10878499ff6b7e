import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { displayPath, excludedAmong, fileSystemPath, type GitPath, gitPathIfAllowed, readIgnored, textBytes } from "@robust-sync/git";
import { credentialSecrets, netrcSecrets, type OwnSecret, secretsOf } from "@robust-sync/secrets";
import { fileStamp } from "@robust-sync/system/file-stamp";
import { heldAbove, readEnvFile, readHeld, secretVariables } from "@robust-sync/workspace";
import type { CycleContext } from "./cycle-context.ts";
import { EnvFileSearch } from "./env-files.ts";

/** Interval of reading the files with this machine's secrets. */
export const ownSecretsIntervalMs = 30_000;
/** Larger files are not read. */
const maxFileBytes = 262_144;
/** With more secrets than this, the files contain something else. */
const maxSecrets = 2_000;

function textOf(file: string): string {
	try {
		const stats = fs.statSync(file);
		return stats.isFile() && stats.size <= maxFileBytes ? fs.readFileSync(file, "utf8") : "";
	} catch {
		return "";
	}
}

function variablesOf(file: string | Buffer): Readonly<Record<string, string | undefined>> {
	try {
		const stats = fs.statSync(file);
		return stats.isFile() && stats.size <= maxFileBytes ? readEnvFile(file) : {};
	} catch {
		return {};
	}
}

/** Files with secrets that programs write at the top of a workspace: checked in every cycle, also while they do not exist. */
const usualEnvFiles = [".env", ".env.local", ".env.production", ".env.development", ".env.test"];

/** This machine's own secrets, and the files that they are from. */
export interface MachineSecrets {
	readonly secrets: readonly OwnSecret[];
	readonly files: readonly string[];
	/** {@link filesStamp} of these files before they were read. */
	readonly stamp: string;
}

/** Changes with any of some files. */
export function filesStamp(files: readonly string[]): string {
	return files
		.map((file) => {
			try {
				return fileStamp(textBytes(file)) ?? "absent";
			} catch {
				return "unreadable";
			}
		})
		.join("\n");
}

/**
 * This machine's own secrets: the values in `.sync_env`, in `.env` files that git ignores or that this node keeps local, in `~/.netrc` and `~/.git-credentials`, and
 * variables of the environment with secret-looking names. They are returned, and stored nowhere.
 * @param search finds the `.env` files; one that is kept for the next call lists only directories that changed
 * @throws GitError
 */
export async function readMachineSecrets(
	{ repository, paths }: Pick<CycleContext, "repository" | "paths">,
	search = new EnvFileSearch(),
): Promise<MachineSecrets> {
	const home = process.env.HOME ?? os.homedir();
	const [netrc, credentials] = [path.join(home, ".netrc"), path.join(home, ".git-credentials")];
	const found = search.find(repository.root);
	const files = [
		...[paths.envFile, netrc, credentials],
		...new Set([...usualEnvFiles, ...found].map((name) => path.join(repository.root, name))),
	];
	const stamp = filesStamp(files);
	const names = found.flatMap((name): GitPath[] => {
		const checked = gitPathIfAllowed(textBytes(name).toString("latin1"));
		return checked === null ? [] : [checked];
	});
	const ignored = await readIgnored(repository, names);
	// If a peer's rule un-ignores a file, it stays local, and its values stay this machine's own.
	const excluded = await excludedAmong(repository, names);
	const held = readHeld(paths);
	const local = names.filter((name) => ignored.has(name) || excluded.has(name) || heldAbove(held, name)?.reason === "ignored-here");
	const all = [
		...secretsOf(variablesOf(paths.envFile), ".sync_env ", secretVariables),
		...local.flatMap((name) => secretsOf(variablesOf(fileSystemPath(repository.root, name)), `${displayPath(name)} `)),
		...netrcSecrets(textOf(netrc)),
		...credentialSecrets(textOf(credentials)),
		...secretsOf(process.env, "environment ", secretVariables),
	];
	const seen = new Set<string>();
	return { secrets: all.filter(({ value }) => !seen.has(value) && seen.add(value)).slice(0, maxSecrets), files, stamp };
}

/** The secrets of {@link readMachineSecrets} alone. @throws GitError */
export async function machineSecrets(context: Pick<CycleContext, "repository" | "paths">): Promise<readonly OwnSecret[]> {
	return (await readMachineSecrets(context)).secrets;
}
