import fs from "node:fs";
import path from "node:path";
import { replaceLocked } from "../process/lock-files.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { mayWriteLoose, readLooseObject } from "./loose-objects.ts";

// A branch with a file of its own (gitrepository-layout(5)) is moved here as git moves it: under its lock file, with its reflog and that of
// HEAD, durably. Starting git takes longer. Whatever is not plain is left to git.

/** git's ident rules change a name or address that begins or ends with these. */
const isPlainWord = (text: string) => text !== "" && !/[<>\n\0]|^[\0-\x20.,:;"\\']|[\0-\x20.,:;"\\']$/.test(text);

/** The committer as git would write it into a reflog; null: only git knows. */
function committer({ env, config }: Repository): string | null {
	const given = (key: string) => {
		const number = Array.from({ length: Number(env.GIT_CONFIG_COUNT ?? 0) }, (_, index) => index).findLast(
			(index) => env[`GIT_CONFIG_KEY_${index}`]?.toLowerCase() === key,
		);
		return number === undefined ? config.get(key) : env[`GIT_CONFIG_VALUE_${number}`];
	};
	const get = (field: "name" | "email") =>
		env[`GIT_COMMITTER_${field.toUpperCase()}`] ?? given(`committer.${field}`) ?? given(`user.${field}`) ?? "";
	const [name, email] = [get("name"), get("email")];
	return isPlainWord(name) && isPlainWord(email) ? `${name} <${email}>` : null;
}

/** The offset of local time as in `+0130`. */
function timeZone(date: Date): string {
	const minutes = -date.getTimezoneOffset();
	const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
	return `${minutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}${String(rest).padStart(2, "0")}`;
}

const readIfFile = (file: string): string | null =>
	fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true ? fs.readFileSync(file, "latin1") : null;

/** The reflogs that record a move of `ref`; null: one of them is missing, and git decides whether it makes it. */
function reflogs({ gitDirectory, commonDirectory }: Repository, ref: string): string[] | null {
	const head = readIfFile(path.join(gitDirectory, "HEAD"));
	if (head === null) return null;
	const logs = [path.join(commonDirectory, `logs/${ref}`)];
	if (head.trim() === `ref: ${ref}`) logs.push(path.join(gitDirectory, "logs/HEAD"));
	return logs.every((log) => fs.lstatSync(log, { throwIfNoEntry: false })?.isFile() === true) ? logs : null;
}

/**
 * Moves a branch from `before` to `after`, if both and the repository are plain.
 * @returns false: nothing was changed, and git must do it, or refuse to
 */
export function moveLooseRef(repository: Repository, ref: string, after: Oid, before: Oid, reason: string): boolean {
	const { config, hooks, commonDirectory } = repository;
	// With hooks, reference-transaction may be one.
	if (hooks || !mayWriteLoose(repository) || config.has("extensions.refstorage") || !ref.startsWith("refs/heads/")) return false;
	const file = path.join(commonDirectory, ref);
	const who = committer(repository);
	const logs = reflogs(repository, ref);
	if (who === null || logs === null || readLooseObject(repository, after)?.type !== "commit") return false;
	try {
		return replaceLocked(file, 0o666, (descriptor) => {
			// It may have moved before the lock.
			if (readIfFile(file)?.trim() !== before) return false;
			fs.writeSync(descriptor, `${after}\n`);
			fs.fsyncSync(descriptor);
			const date = new Date();
			const line = `${before} ${after} ${who} ${Math.floor(date.getTime() / 1000)} ${timeZone(date)}\t${reason}\n`;
			for (const log of logs) fs.appendFileSync(log, line);
			return true;
		});
	} catch {
		// git meets the same obstacle, and its failure has a code.
		return false;
	}
}
