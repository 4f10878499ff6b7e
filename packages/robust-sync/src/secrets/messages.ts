import { type CommitTexts, type Oid, readObjectsWhole } from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";
import { notePublished, warnOnly } from "./notes.ts";
import type { UnpublishedCommit } from "./unpublished.ts";

/** Replaces a secret in a commit's message. */
const placeholder = "[secret]";
/** A message that still holds a secret after this many rounds is replaced whole. */
const maxRounds = 4;
/** A finding shorter than this marks only the start of a concatenated or encoded secret: then the whole line is replaced. */
const shortest = 6;

/** A message with its secrets replaced. @throws ScanError */
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

/** `NAME <ADDRESS>` with secrets replaced. @throws ScanError */
async function withoutFindingsIn(context: CycleContext, person: string): Promise<string> {
	const [, name = "", address = ""] = /^(.*?) ?<(.*)>$/.exec(person) ?? ["", person];
	const clean = async (text: string) =>
		(await withoutFindings(context, Buffer.from(text, "latin1"))).toString("latin1").replaceAll(/[\n<>]/g, "");
	return `${await clean(name)} <${await clean(address)}>`;
}

/** The text of a commit that is searched: its message, then its author and committer, so that lines are those of the message. */
const searchedText = ({ message, people }: UnpublishedCommit) => Buffer.from(`${message}\n\n${people.join("\n")}\n`, "latin1");

/**
 * New texts for unpublished commits whose message, author or committer holds a secret. With SYNC_SECRETS=warn such commits are reported and
 * left unchanged.
 * @throws ScanError, GitError
 */
export async function cleanTexts(context: CycleContext, commits: readonly UnpublishedCommit[]): Promise<ReadonlyMap<Oid, CommitTexts>> {
	const { repository, memory, config } = context;
	const clean = new Map<Oid, CommitTexts>();
	const answers = await memory.secrets.thread.scan(
		commits.map((commit) => ({ path: "message", content: searchedText(commit) })),
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
		const header = text.toString("latin1", 0, at);
		const person = async (role: string) =>
			withoutFindingsIn(context, new RegExp(`^${role} (.*?)(?: -?\\d+ [+-]\\d+)?$`, "m").exec(header)?.[1] ?? "");
		clean.set(commit, {
			message: (await withoutFindings(context, text.subarray(at + 2))).toString("latin1"),
			author: await person("author"),
			committer: await person("committer"),
		});
	}
	return clean;
}
