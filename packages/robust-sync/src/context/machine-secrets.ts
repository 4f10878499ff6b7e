import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { displayPath, excludedAmong, fileSystemPath, type GitPath, gitPathIfAllowed, readIgnored, textBytes } from "@robust-sync/git";
import { credentialSecrets, netrcSecrets, type OwnSecret, secretsOf } from "@robust-sync/secrets";
import { textOfBytes } from "@robust-sync/service/exact-operands";
import { fileStamp } from "@robust-sync/system/file-stamp";
import { heldAbove, neverCommitted, readEnvFile, readHeld, secretVariables } from "@robust-sync/workspace";
import type { CycleContext } from "./cycle-context.ts";

/** Interval of reading the files with this machine's secrets. */
export const ownSecretsIntervalMs = 30_000;
/** Larger files are not read. */
const maxFileBytes = 262_144;
/** Directories that are searched for `.env` files, and the depth. */
const maxDirectories = 2_000;
const maxDepth = 5;
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

/** Files named `.env…` near the top of the workspace, ignored or not, as text for `textBytes`. */
function envFiles(root: string): string[] {
	const found: string[] = [];
	let level = [""];
	let visited = 0;
	for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
		const next: string[] = [];
		for (const directory of level) {
			if (++visited > maxDirectories) return found;
			let entries: fs.Dirent<Buffer>[];
			try {
				entries = fs.readdirSync(textBytes(path.join(root, directory)), { withFileTypes: true, encoding: "buffer" });
			} catch {
				continue;
			}
			for (const entry of entries) {
				const last = textOfBytes(entry.name);
				const name = directory === "" ? last : `${directory}/${last}`;
				if (entry.isDirectory()) {
					if (last !== ".git" && last !== "node_modules" && !(neverCommitted as readonly string[]).includes(name)) next.push(name);
				} else if (entry.isFile() && /^\.env(?:\.|$)|\.env$/.test(last)) found.push(name);
			}
		}
		level = next;
	}
	return found;
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
 * @throws GitError
 */
export async function readMachineSecrets({ repository, paths }: Pick<CycleContext, "repository" | "paths">): Promise<MachineSecrets> {
	const home = process.env.HOME ?? os.homedir();
	const [netrc, credentials] = [path.join(home, ".netrc"), path.join(home, ".git-credentials")];
	const found = envFiles(repository.root);
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
