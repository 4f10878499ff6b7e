// Faults that the explorer must find: name → source, replaced text, replacement, and the trace that shows the fault; `c*` is any step
// of the checkout, `c+` the one after it, `m*` any step of the cycle around it.

const [placeFile, swapFiles, takenFiles] = ["place-file", "swap-files", "taken-files"].map(
	(name) => new RegExp(`git/src/worktree/${name}\\.ts$`),
);

export const explorerMutants = {
	"foreign-write-as-ours": {
		trace: "notes change c*=rewrite-stale",
		file: swapFiles,
		find: "const isIntact = hasContentOf(file.version, stats) && this.#hasMode(file.mode, stats);",
		replacement: "const isIntact = true;",
	},
	"directory-stays-in-the-backup": {
		trace: "notes change c*=directory c+=kill",
		file: takenFiles,
		find: "if (stats?.isDirectory()) this.#putDirectoryBeside(change.path, file);",
		replacement: "",
	},
	"mode-of-the-first-look": {
		trace: "notes change c*=chmod",
		file: swapFiles,
		find: "carryBits(staged, found.stats, out);",
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
		find: "if (report.kept.length === 0) return;",
		replacement: "if (report.kept.length >= 0) return;",
	},
	"loser-of-a-late-merge-is-not-saved": {
		trace: "json change c*=append",
		file: /robust-sync\/src\/checkout\/foreign-writes\.ts$/,
		find: "for (const commit of commits) to = ",
		replacement: "for (const commit of commits.slice(1)) to = ",
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
		find: "const older = origin && (await olderOriginOf(context, finding, origin));",
		replacement: "const older = null;",
	},
	"taken-away-without-a-look": {
		trace: "notes delete c*=append",
		file: placeFile,
		find: "this.#leaveRemoved(change, file, versions);",
		replacement: "this.#taken.noteExpected(change, file, (peek(file) ?? { content: Buffer.alloc(0) }).content, versions);",
	},
};

/** The traces of a mutant, one for each step that its acts may be at, in parts that run in one process: after a kill, each by itself. */
export function tracesOf({ trace }) {
	if (!/[cm]\*/.test(trace)) return [[trace]];
	const steps = (from, to) => Array.from({ length: to - from }, (_, at) => from + at);
	if (trace.includes("m*")) return steps(36, 52).map((step) => [trace.replace("m*", `m${step}`)]);
	return [steps(1, 21).map((step) => trace.replace("c*", `c${step}`).replace("c+", `c${step + 1}`))];
}
