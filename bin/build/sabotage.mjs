// Builds that lose data on purpose: the chaos run must detect each, or it proves nothing.
import { readFileSync } from "node:fs";

/** name → source, replaced text, replacement. */
const sabotages = {
	"drop-the-loser": {
		file: /resolve\/src\/saved\/save-versions\.ts$/,
		find: "if (!what.files.some(({ save }) => save)) return null;",
		replacement: "return null;",
	},
	"skip-a-message": {
		file: /robust-sync\/src\/outbox\/outbox\.ts$/,
		find: "const content = readPending(paths, name);",
		replacement:
			'const content = readPending(paths, name); if (name.endsWith("4.txt")) { fs.rmSync(pendingFile(paths, name), { force: true }); continue; }',
	},
	"overwrite-what-is-there": {
		file: /git\/src\/worktree\/place-file\.ts$/,
		find: "await this.#swapper.attributes?.finish(live, staged);\n\t\t\tconst there = peek(this.#files, live);",
		replacement:
			"this.#files.unlinkIfThere(live);\n\t\t\tthis.#files.link(staged, live);\n\t\t\treturn;\n\t\t\tconst there = peek(this.#files, live);",
	},
};

export const sabotageNames = Object.keys(sabotages);

/** A plugin of esbuild that inserts one of these faults. */
export const sabotagePlugin = (name) => mistakePlugin(name, sabotages[name]);

/** The number of places in a source that a fault replaces: one, or it has to be brought up to date. */
export const placesOf = ({ find }, source) => readFileSync(source, "utf8").split(find).length - 1;

/** A plugin of esbuild that inserts a fault. @throws when the source does not have the text any more */
export function mistakePlugin(name, { file, find, replacement }) {
	return {
		name: `sabotage-${name}`,
		setup(build) {
			build.onLoad({ filter: file }, ({ path: source }) => {
				const parts = readFileSync(source, "utf8").split(find);
				if (parts.length !== 2)
					throw new Error(`${source}: '${find}' is there ${parts.length - 1} times: bring the mistake ${name} up to date`);
				return { contents: parts.join(replacement), loader: "ts" };
			});
		},
	};
}
