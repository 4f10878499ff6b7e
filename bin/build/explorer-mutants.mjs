// Mistakes that the explorer must find: name → in which source what is replaced by what, and the traces in which it shows.

const workingTree = /git\/src\/working-tree\.ts$/;

export const explorerMutants = {
	"foreign-write-as-ours": {
		trace: "notes change c11=rewrite-stale",
		file: workingTree,
		find: "const isIntact = hasContentOf(file.version, stats) && this.#hasMode(file.mode, stats);",
		replacement: "const isIntact = true;",
	},
	"directory-stays-in-the-backup": {
		trace: "notes change c7=directory c8=kill",
		file: workingTree,
		find: "if (stats?.isDirectory()) this.#putDirectoryBeside(change.path, file);",
		replacement: "",
	},
	"mode-of-the-first-look": {
		trace: "notes change c5=chmod",
		file: workingTree,
		find: "carryBits(staged, found.stats, out);",
		replacement: "",
	},
	"no-compare-after-the-swap": {
		trace: "notes change c7=rename",
		file: workingTree,
		find: "if (isKnown(taken.content, taken.stats)) return { replaced: taken.content };",
		replacement: "return { replaced: taken.content };",
	},
	"no-compare-before-the-swap": {
		trace: "notes change c1=rename",
		file: workingTree,
		find: "if (there && !this.#isExpected(change, there.content, there.stats, versions)) {\n\t\t\t\t// Written late",
		replacement: "if (Date.now() < 0 && there) {\n\t\t\t\t// Written late",
	},
	"replaced-files-are-forgotten": {
		trace: "notes change end=append-old",
		file: /resolve\/src\/integrate\.ts$/,
		find: "if (report.kept.length === 0) return;",
		replacement: "if (report.kept.length >= 0) return;",
	},
	"loser-of-a-late-merge-is-not-saved": {
		trace: "json change c1=append",
		file: /resolve\/src\/late-writes\.ts$/,
		find: "if (answer.lost && ",
		replacement: "if (Date.now() < 0 && answer.lost && ",
	},
	"no-journal": {
		trace: "notes change 1=open-append m41=kill",
		file: /resolve\/src\/integrate\.ts$/,
		find: 'writeJournal(paths, journal);\n\tfaultPoint("integrate-journalled");',
		replacement: "",
	},
	"taken-away-without-a-look": {
		trace: "notes delete c3=append",
		file: workingTree,
		find: "if (this.#isExpected(change, content, stats, versions)) {\n\t\t\tthis.#noteExpected(change, file, content, versions);",
		replacement: "if (Date.now() > 0) {\n\t\t\tthis.#noteExpected(change, file, content, versions);",
	},
};
