import fs from "node:fs";
import path from "node:path";
import { displayPath, type GitPath, readDiskFile, textBytes } from "@robust-sync/git";
import { belowWorkspace, selectedPath } from "@robust-sync/history";
import { type Finding, newSalt, ownRule, parseAllowed, patternOf, ScanThread, withAllowed } from "@robust-sync/secrets";
import { currentDirectory } from "@robust-sync/service/exact-operands";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { printable } from "@robust-sync/service/printable";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import { openWorkspaceRepository } from "../context/cycle-context.ts";
import { machineSecrets } from "../context/machine-secrets.ts";
import { allowFile, localAllowFile } from "../secrets/memory.ts";
import { masked } from "../secrets/names.ts";
import { inName } from "../secrets/notes.ts";
import { readAllowText, readLocalAllowText } from "../secrets/policy.ts";

/** The allowed places; never the values. */
export interface AllowedSecrets {
	readonly path: string;
	readonly findings: readonly Pick<Finding, "rule" | "line">[];
}

/** The content of the named file or waiting message, and the pattern of the paths at which it is committed. @throws CommandError, PathError */
function contentOf(
	paths: WorkspacePaths,
	name: string,
	read: (name: GitPath) => Buffer | null,
): { path: string; pattern: string; content: Buffer } {
	const pending = belowWorkspace(paths.root, path.resolve(paths.root, name));
	if (pending !== null && path.dirname(pending) === paths.pending) {
		const shown = textBytes(path.relative(paths.root, pending)).toString("utf8");
		try {
			return { path: shown, pattern: "messages", content: fs.readFileSync(textBytes(pending)) };
		} catch (error) {
			throw new CommandError(`${printable(shown)} cannot be read (${(error as NodeJS.ErrnoException).code})`, ExitCode.failed, {
				cause: error,
			});
		}
	}
	const selected = selectedPath(paths.root, currentDirectory(), name);
	const content = read(selected);
	if (content === null) throw new CommandError(`${printable(name)} is no file: name the file that holds the value`, ExitCode.usage);
	return { path: displayPath(selected), pattern: displayPath(selected), content };
}

/**
 * Adds to `.secretsallow` that a file's secrets may be published: by salted hashes, for this path only.
 * @throws CommandError if the file does not exist, or a list cannot be added to; PathError, GitError, ScanError, the file system's error
 */
export async function allowSecret(paths: WorkspacePaths, config: Config, name: string): Promise<AllowedSecrets> {
	const repository = await openWorkspaceRepository(paths, config);
	const file = contentOf(paths, name, (selected) => {
		try {
			return readDiskFile(repository, selected)?.content ?? null;
		} catch {
			return null;
		}
	});
	const list = path.join(paths.root, allowFile);
	const localList = localAllowFile(repository.commonDirectory);
	const text = readAllowText(repository);
	const localText = readLocalAllowText(repository.commonDirectory);
	// A link's target must not become the list, which is published.
	if (text === null || localText === null)
		throw new CommandError(
			`${printable(text === null ? list : localList)} is no plain file of at most 1 MiB, or cannot be read: remove it first`,
			ExitCode.failed,
		);
	const salt = newSalt();
	const thread = new ScanThread();
	thread.setOwn(await machineSecrets({ repository, paths }));
	const allowed = [...parseAllowed(text), ...parseAllowed(localText, true)];
	const [findings = []] = await thread.scan([{ path: file.path, content: file.content }], allowed, salt);
	const [inItsName = []] = await thread.scan([{ path: file.path, content: Buffer.from(file.path.replaceAll("\n", "?")) }], allowed, salt);
	findings.push(...inItsName.map((finding) => ({ ...finding, line: inName })));
	// The list is published, so the pattern must not contain a secret from the name. A message is searched in the outbox and at its delivery path.
	// A pattern has one character for a tab or a line feed.
	const parts = masked(file.path.replaceAll("\n", "\t"), inItsName, "\0").split("\0");
	const own = parts.map(patternOf).join("*");
	const patterns = file.pattern === "messages" ? [own, "messages/**"] : [own];
	const add = (target: string, before: string, some: readonly Finding[], mode: number) => {
		if (some.length === 0) return;
		fs.mkdirSync(path.dirname(target), { recursive: true });
		writeAtomicSync(target, withAllowed(before, patterns, some, salt), mode);
	};
	const isOwn = ({ rule }: Finding) => rule.startsWith(ownRule);
	add(
		list,
		text,
		findings.filter((finding) => !isOwn(finding)),
		0o644,
	);
	add(localList, localText, findings.filter(isOwn), 0o600);
	return { path: file.path, findings: findings.map(({ rule, line }) => ({ rule, line })) };
}
