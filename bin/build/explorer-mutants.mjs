// Faults that the explorer must find: name → source, replaced text, replacement, and the trace that shows the fault; `c*` is any step
// of the checkout, `c+` the one after it, `m*` any step of the cycle around it.

const [placeFile, swapFiles, takenFiles, placedVersions] = ["place-file", "swap-files", "taken-files", "placed-versions"].map(
	(name) => new RegExp(`git/src/worktree/${name}\\.ts$`),
);
const [placedFiles, writeOrigin] = ["placed-files", "write-origin"].map((name) => new RegExp(`robust-sync/src/checkout/${name}\\.ts$`));

export const explorerMutants = {
	"foreign-write-as-ours": {
		trace: "notes change c*=rewrite-stale",
		file: swapFiles,
		find: "const isIntact = hasContentOf(file.version, stats) && this.#hasMode(name, file.mode, stats);",
		replacement: "const isIntact = true;",
	},
	"directory-stays-in-the-backup": {
		trace: "notes change c*=directory c+=kill",
		file: takenFiles,
		find: "if (stats?.isDirectory()) this.#keepDirectoryBeside(change.path, file);",
		replacement: "",
	},
	"mode-of-the-first-look": {
		trace: "notes change c*=chmod",
		file: swapFiles,
		find: "if (carryBits(this.#files, staged, found.stats, out)) this.#durable.noteMode(this.#sites.of(name).top, staged);",
		replacement: "",
	},
	"no-compare-after-the-swap": {
		trace: "notes change c*=rename",
		file: placeFile,
		find: "else this.#taken.observe(change, destination, versions, await",
		replacement: "else if (Date.now() < 0) this.#taken.observe(change, destination, versions, await",
	},
	"replaced-files-are-forgotten": {
		trace: "notes change end=append-old",
		file: /resolve\/src\/checkout\/integrate\.ts$/,
		find: "recordBackup({ ...context, files: repository.files }, backup, report.kept);",
		replacement: "",
	},
	"loser-of-a-late-merge-is-not-saved": {
		trace: "json change c*=append",
		file: /robust-sync\/src\/checkout\/foreign-writes\.ts$/,
		find: "for (const commit of commits) {",
		replacement: "for (const commit of commits.slice(1)) {",
	},
	"no-journal": {
		trace: "notes change 1=open-append m*=kill",
		file: /resolve\/src\/checkout\/integrate\.ts$/,
		find: 'writeJournal(context.paths, journal);\n\tfaultPoint("integrate-journalled");',
		replacement: "",
	},
	"foreign-write-on-head": {
		trace: "notes change end=rewrite-stale",
		file: /robust-sync\/src\/checkout\/foreign-writes\.ts$/,
		find: "if (info?.oid === wanted[at]?.origin) bases[at] ??= commit;",
		replacement: "bases[at] ??= commit;",
	},
	"kept-file-from-the-last-version-only": {
		trace: "notes change-twice c*=rename-stale",
		file: /robust-sync\/src\/checkout\/rescue\.ts$/,
		find: "const unseen = hasContent ?",
		replacement: "const unseen = hasContent && Date.now() < 0 ?",
	},
	"no-access-time-evidence": {
		trace: "json change late=rename-stale",
		file: placedVersions,
		find: "return String(stats.ino) === ino && stats.isFile() &&",
		replacement: "return Date.now() < 0 && stats.isFile() &&",
	},
	"every-version-counts-as-unread": {
		trace: "json change late=drop-newest",
		file: placedVersions,
		find: "return String(stats.ino) === ino && stats.isFile() &&",
		replacement: "return Date.now() > 0 ||",
	},
	"no-ten-seconds-after-a-checkout": {
		trace: "json change end=read end=rename-stale",
		file: writeOrigin,
		find: "const isRecent = ageMs <= replacementsWindowMs && ageMs - writtenMs <= staleWriteWindowMs;",
		replacement: "const isRecent = false;",
	},
	"git-reads-before-the-evidence-is-used": {
		trace: "json change-apart 6=rewrite-stale",
		file: placedFiles,
		find: "if (isUnreadFile(version, stats)) this.#unread.add(version.ino);",
		replacement: "",
	},
	"git-reads-the-files-of-the-last-process": {
		trace: "json change-restart late=rename-stale",
		file: placedFiles,
		find: "this.#adopt(repository, byOthers.slice(-mostLookedAt));",
		replacement: "",
	},
	"version-of-another-program-is-not-seen": {
		trace: "notes change-twice fend=truncate-stale c8=rewrite",
		file: writeOrigin,
		find: "if (later !== null && containsAddition(older, later, written, file)) break;",
		replacement: "",
	},
	"placed-version-is-no-base": {
		trace: "notes change-twice fend=open-rewrite 3=truncate-stale",
		file: writeOrigin,
		find: "return { ...placed, reason:",
		replacement: "if (Date.now() > 0) return null;\n\treturn { ...placed, reason:",
	},
	"observation-is-not-checked": {
		trace: "notes change c*=rename",
		file: takenFiles,
		find: "{ stats }).mtimeMs = unseenMs;",
		replacement: "{ stats });",
	},
	"observation-is-no-version": {
		trace: "notes change-twice fend=append-old end=append-old",
		file: /robust-sync\/src\/checkout\/foreign-writes\.ts$/,
		find: "updated[index] = { ...entry, before: oid, size, mtime_ms: mtimeMs, ...written };",
		replacement: "updated[index] = { ...entry, size, mtime_ms: mtimeMs };",
	},
	"deletion-without-a-second-look": {
		trace: "notes change 2=unlink-next",
		file: /robust-sync\/src\/snapshot\/vanished-files\.ts$/,
		find: "const confirmDeletionMs = 500;",
		replacement: "const confirmDeletionMs = 0;",
	},
	"directory-that-vanishes-ends-the-cycle": {
		trace: "notes pair c*=directory-away",
		file: placeFile,
		find: 'if ((code !== "EEXIST" && code !== "ENOENT") || attempt',
		replacement: 'if (code !== "EEXIST" || attempt',
	},
	"removed-file-returns-to-no-directory": {
		trace: "notes delete c4=rename c*=directory-gone",
		file: takenFiles,
		find: 'if (code === "ENOENT") return false;',
		replacement: "",
	},
	"missing-file-leaves-no-evidence": {
		trace: "notes change c*=unlink-next",
		file: placeFile,
		find: "if (isFirst) await",
		replacement: "if (!isFirst) await",
	},
	"write-between-read-and-record": {
		trace: "notes change c*=patch-old",
		file: takenFiles,
		find: "if (now.mtimeMs !== found.mtimeMs) note.mtimeMs = unseenMs;",
		replacement: "",
	},
	"link-of-a-placed-file-is-another-program's": {
		trace: "notes pair c14=open-append c18=over-other",
		file: takenFiles,
		find: "this.#sites.placedNow.has(String(stats.ino)) ? 2 : 1",
		replacement: "1",
	},
	"taken-away-without-a-look": {
		trace: "notes delete c*=append",
		file: placeFile,
		find: "() => this.#leaveRemoved(change, file, versions)",
		replacement: "() => this.#taken.noteExpected(change, file, peek(this.#files, file), versions)",
	},
};

const durableChanges = /git\/src\/worktree\/durable-changes\.ts$/;
const onDisk = /git\/src\/files\/on-disk\.ts$/;

/** Faults that the exploration in memory must find: with a trace of two acts, or else with any of one. */
export const modelMutants = {
	...Object.fromEntries(
		[
			"foreign-write-as-ours",
			"mode-of-the-first-look",
			"no-compare-after-the-swap",
			"observation-is-not-checked",
			"directory-that-vanishes-ends-the-cycle",
			"directory-stays-in-the-backup",
			"taken-away-without-a-look",
			"write-between-read-and-record",
		].map((name) => [name, { ...explorerMutants[name], trace: null }]),
	),
	"removed-file-returns-to-no-directory": {
		...explorerMutants["removed-file-returns-to-no-directory"],
		trace: "delete 32=append-old 34=directory-gone",
	},
	"file-that-vanishes-ends-the-cycle": {
		trace: "change 31=rename 49=unlink-next",
		file: onDisk,
		find: "const content = readIfThere(files, file, a);",
		replacement: "const content = readContent(files, file, a);",
	},
	"mode-of-a-file-made-again": {
		trace: "change 43=unlink-next 45=chmod",
		file: placeFile,
		find: "else if (taken) noteMode(",
		replacement: "else if (taken && Date.now() < 0) noteMode(",
	},
	"directory-beside-in-no-directory": {
		trace: "delete 30=directory 30=directory-away",
		file: takenFiles,
		find: "files.rename(directory, beside), { makeParents: true, files });",
		replacement: "files.rename(directory, beside), { files });",
	},
	"unreadable-file-is-not-recorded": {
		trace: "change 45=patch-old 54=EIO",
		file: takenFiles,
		find: 'if (taken === "file") this.#noteUnread(change, file, versions);',
		replacement: 'if (taken === "file") this.rescued.push();',
	},
	"version-of-a-missing-file-in-parts": {
		trace: "change 15=rename-away 48=kill",
		file: placeFile,
		find: "const file = staging.nextFile();\n\t\tthis.#files.writeFile(file, content, { mode: newFileBits(before.mode)",
		replacement:
			"const file = destination;\n\t\tbackup.makeParents(file);\n\t\tthis.#files.writeFile(file, content, { mode: newFileBits(before.mode)",
	},
	"unreadable-directory-does-not-return": {
		trace: "link change 53=directory 59=EACCES",
		file: takenFiles,
		find: 'else if (taken === "directory") this.#returnDirectory(change.path, file);',
		replacement: "",
	},
	"mode-is-lost-by-a-kill": {
		trace: "change 53=chmod 56=kill",
		file: placeFile,
		find: "if (isThere && taken !== null) this.#keepModeOf(",
		replacement: "if (isThere && taken !== null && Date.now() < 0) this.#keepModeOf(",
	},
	"mode-is-lost-by-a-fault": {
		trace: "change 53=chmod 56=EIO",
		file: placeFile,
		find: "this.#carryAfterFault(step);",
		replacement: "",
	},
	"staged-files-are-not-durable": {
		trace: "change 52=cut-1",
		file: /git\/src\/worktree\/staging\.ts$/,
		find: "counter.end();\n\t\tawait this.#files.makeDurable(toSync, this.directory);",
		replacement: "counter.end();",
	},
	"directories-of-backups-are-not-durable": {
		trace: "change 0=append 62=cut-11",
		file: durableChanges,
		find: "for (const [top, some] of changed) await this.#files.makeChangesDurable(some, this.#directoryOf(top));",
		replacement: "",
	},
	"placed-names-are-not-durable": {
		trace: "change end=cut-0",
		file: /git\/src\/worktree\/working-tree\.ts$/,
		find: "await this.#durable.complete(changes);",
		replacement: "",
	},
	"changed-modes-are-not-durable": {
		trace: "change 0=chmod end=cut-0",
		file: durableChanges,
		find: "...(this.#changedModes.get(top) ?? [])",
		replacement: "",
	},
	"returned-file-is-not-durable": {
		trace: "delete 29=append 40=cut-7",
		file: takenFiles,
		find: "this.#files.makeDurableNow(live.subarray(0, live.lastIndexOf(0x2f)));",
		replacement: "",
	},
	"later-directories-are-not-durable": {
		trace: "create 24=rewrite-stale 50=cut-15",
		file: /git\/src\/worktree\/backup-directory\.ts$/,
		find: "else this.#files.makeDurableNow(above);",
		replacement: "",
	},
	"version-of-a-missing-file-is-not-durable": {
		trace: "change 0=unlink 55=cut-1",
		file: placeFile,
		find: "{ mode: newFileBits(before.mode), isDurable: true }",
		replacement: "{ mode: newFileBits(before.mode) }",
	},
	"version-of-a-missing-file-has-bits-of-its-own": {
		trace: "script 0=unlink 56=kill",
		file: placeFile,
		find: "{ mode: newFileBits(before.mode), isDurable: true }",
		replacement: "{ mode: 0o600, isDurable: true }",
	},
	"copy-of-a-linked-file-is-not-durable": {
		trace: "change 0=link-beside 68=cut-1",
		file: takenFiles,
		find: "this.#files.makeDurableNow(copy);",
		replacement: "",
	},
	"late-file-counts-as-expected": {
		trace: null,
		file: takenFiles,
		find: "if (this.#expected.isExpected(change, content, stats, versions)) this.noteExpected",
		replacement: "if (Date.now() > 0) this.noteExpected",
	},
};

/** At most this far from its place a moved call is searched: in both explorers, by the time that a trace takes. */
const mostMoved = { cycle: 2, model: 12 };

/** The same acts at other calls, the nearest first: a call that the checkout gained or lost moves those after it. */
function near(trace, most) {
	const events = /\b([cm]?)(\d+)=/g;
	const moves = Array.from({ length: 2 * most + 1 }, (_, at) => at - most);
	const combined = [...trace.matchAll(events)].reduce((all) => all.flatMap((some) => moves.map((by) => [...some, by])), [[]]);
	const distance = (some) => some.reduce((sum, by) => sum + Math.abs(by), 0);
	return combined
		.sort((one, other) => distance(one) - distance(other))
		.slice(1)
		.map((some) => {
			const left = [...some];
			return trace.replace(events, (_, kind, step) => `${kind}${Math.max(0, Number(step) + left.shift())}=`);
		});
}

/**
 * The traces of a mutant, one for each step that its acts may be at, in parts that run in one process: after a kill, each by itself. Steps with
 * numbers are tried first, and then those near them.
 */
export function tracesOf(mutant) {
	const { trace } = mutant;
	const steps = (from, to) => Array.from({ length: to - from }, (_, at) => from + at);
	if (trace.includes("m*")) return steps(17, 27).map((step) => [trace.replace("m*", `m${step}`)]);
	if (trace.includes("c*")) return [steps(1, 21).map((step) => trace.replace("c*", `c${step}`).replace("c+", `c${step + 1}`))];
	const others = near(trace, Object.values(modelMutants).includes(mutant) ? mostMoved.model : mostMoved.cycle);
	return others.length > 0 ? [[trace], others] : [[trace]];
}
