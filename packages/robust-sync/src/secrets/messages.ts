import { type Oid, readObjectsWhole } from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";
import { notePublished, warnOnly } from "./notes.ts";
import type { UnpublishedCommit } from "./unpublished.ts";

/** What takes the place of a secret in the message of a commit. */
const placeholder = "[secret]";
/** What a message still holds after as many rounds goes with all the rest of it. */
const maxRounds = 4;
/** Something that is put together, or encoded, is found at its first character only: then the line goes. */
const shortest = 6;

/** A message without what is found in it. @throws ScanError */
async function withoutFindings({ memory }: CycleContext, message: Buffer): Promise<Buffer> {
	const { thread } = memory.secrets;
	let bytes = message;
	for (let round = 0; round < maxRounds; round++) {
		const [findings = []] = await thread.scan([{ path: "message", content: bytes }], []);
		if (findings.length === 0) return bytes;
		const starts = [0];
		for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) starts.push(at + 1);
		for (const { line, column, endColumn } of [...findings].reverse()) {
			const start = starts[line - 1] ?? 0;
			const isWhole = endColumn - column < shortest;
			const from = isWhole ? start : start + column - 1;
			const to = isWhole ? (starts[line] ?? bytes.length + 1) - 1 : start + endColumn - 1;
			bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from(placeholder), bytes.subarray(to)]);
		}
	}
	return Buffer.from(`${placeholder}\n`);
}

/**
 * Messages of commits that are not published yet and hold a secret, as they are to be instead, one character a byte. SYNC_SECRETS=warn: they
 * are reported, and stay.
 * @throws ScanError, GitError
 */
export async function cleanMessages(context: CycleContext, commits: readonly UnpublishedCommit[]): Promise<ReadonlyMap<Oid, string>> {
	const { repository, memory, config } = context;
	const clean = new Map<Oid, string>();
	const answers = await memory.secrets.thread.scan(
		commits.map(({ message }) => ({ path: "message", content: Buffer.from(message, "latin1") })),
		[],
	);
	const found = commits.flatMap(({ commit }, index) => {
		const finding = answers[index]?.[0];
		return finding === undefined ? [] : [{ commit, finding }];
	});
	if (found.length === 0) return clean;
	if (config.syncSecrets === "warn") {
		for (const { commit, finding } of found) notePublished(context, `the message of commit ${commit.slice(0, 12)}`, finding, warnOnly);
		return clean;
	}
	const texts = await readObjectsWhole(
		repository,
		found.map(({ commit }) => commit),
	);
	for (const { commit } of found) {
		const text = texts.get(commit);
		const at = text?.indexOf("\n\n") ?? -1;
		if (text === undefined || at < 0) continue;
		clean.set(commit, (await withoutFindings(context, text.subarray(at + 2))).toString("latin1"));
	}
	return clean;
}
