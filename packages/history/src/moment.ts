import { readFileSync } from "node:fs";
import path from "node:path";
import { type Oid, type Repository, readHead } from "@robust-sync/git";
import { parseDuration } from "@robust-sync/system/durations";

/** A moment as a person writes it. */
export type Moment = { readonly kind: "time"; readonly at: number } | { readonly kind: "commit"; readonly commit: Oid };

/** A text that is no moment. Exit code 2. */
export class MomentError extends Error {
	readonly exitCode = 2;
	override readonly name = "MomentError";

	constructor(text: string) {
		super(
			`${JSON.stringify(text)} is no time: give a duration (2h, 30min, 1d), a date (2026-11-29, "2026-11-29 14:30", …T12:30:00Z) or a commit`,
		);
	}
}

// With a time or without; in this machine's zone unless one is given.
const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*(Z|[+-]\d\d:?\d\d)?)?$/i;

function parseDate(text: string): number | null {
	const [, day, time = "00:00", zone = ""] = date.exec(text) ?? [];
	if (day === undefined) return null;
	const at = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
	if (Number.isNaN(at)) return null;
	// Date would turn 2026-02-31 into the third of March.
	const isSameDay = Number(day.slice(8)) === new Date(Date.parse(`${day}T00:00:00Z`)).getUTCDate();
	return isSameDay ? at : null;
}

/** The commit with this name; null: there is none. */
async function commitNamed(repository: Repository, name: string): Promise<Oid | null> {
	if (name === "" || name.startsWith("-") || /[\0\n]/.test(name)) return null;
	const { stdout, exitCode } = await repository.run(["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`], {
		accept: [0, 1, 128],
	});
	const oid = stdout.toString("latin1").trim();
	return exitCode === 0 && /^[0-9a-f]{40,64}$/.test(oid) ? oid : null;
}

/** Whether a text could be the id of a commit, or the beginning of one. */
export const looksLikeId = (text: string): boolean => /^[0-9a-f]{7,64}$/.test(text);

/** @param now milliseconds since the epoch @throws MomentError, GitError */
export async function resolveMoment(repository: Repository, text: string, now: number): Promise<Moment> {
	// git reads no time before 1970: it would use the present instead.
	const timeAt = (at: number): Moment => ({ kind: "time", at: Math.max(0, at) });
	const at = parseDate(text.trim());
	if (at !== null) return timeAt(at);
	// Plain digits are the beginning of an id, not seconds.
	const ms = /[a-z]/i.test(text) ? parseDuration(text) : null;
	if (ms !== null && !looksLikeId(text)) return timeAt(now - ms);
	const commit = await commitNamed(repository, text);
	if (commit !== null) return { kind: "commit", commit };
	if (ms !== null) return timeAt(now - ms);
	throw new MomentError(text);
}

/** The branch's position at a time, from this repository's reflog (git-reflog(1)); null: the reflog does not go back so far. */
function rememberedAt(repository: Repository, branch: string, at: number): Oid | null {
	let text: string;
	try {
		text = readFileSync(path.join(repository.commonDirectory, "logs/refs/heads", branch), "latin1");
	} catch {
		return null;
	}
	let found: Oid | null = null;
	for (const line of text.split("\n")) {
		const [, after = "", seconds = ""] = /^[0-9a-f]+ ([0-9a-f]{40,64}) .*> (\d+) [+-]\d{4}(?:\t|$)/.exec(line) ?? [];
		if (after === "") continue;
		if (Number(seconds) * 1000 <= at) found = after;
	}
	return found !== null && !/^0+$/.test(found) ? found : null;
}

/**
 * The commit whose tree this node had at a moment: from the branch's reflog, else by the dates of the commits.
 * @returns null: there was none yet
 * @throws GitError
 */
export async function commitAt(repository: Repository, moment: Moment): Promise<Oid | null> {
	if (moment.kind === "commit") return moment.commit;
	const { branch, oid } = await readHead(repository);
	if (oid === null) return null;
	const remembered = branch === null ? null : rememberedAt(repository, branch, moment.at);
	if (remembered !== null && (await commitNamed(repository, remembered)) !== null) return remembered;
	const { stdout } = await repository.run([
		"rev-list",
		"-1",
		`--before=@${Math.floor(moment.at / 1000)} +0000`,
		"--end-of-options",
		oid,
		"--",
	]);
	return stdout.toString("latin1").trim() || null;
}
