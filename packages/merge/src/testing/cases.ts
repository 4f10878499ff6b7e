import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { AttributeKind, Kind } from "../kind.ts";

export interface Case {
	/** `<kind>/<name>`. */
	readonly name: string;
	readonly path: string;
	readonly base: Uint8Array | null;
	readonly ours: Uint8Array;
	readonly theirs: Uint8Array;
	readonly expected: Uint8Array;
	readonly later: "ours" | "theirs";
	readonly attribute?: AttributeKind;
	readonly strategy?: Kind;
	readonly winner?: "merged" | "ours" | "theirs";
	readonly lost: readonly ("ours" | "theirs")[];
}

const root = fileURLToPath(new URL("../../cases", import.meta.url));

/** Reads all cases; the format is in cases/README.md. */
export function readCases(): Case[] {
	return directories(root).flatMap((kind) => directories(path.join(root, kind)).map((name) => readCase(`${kind}/${name}`)));
}

function directories(of: string): string[] {
	return readdirSync(of, { withFileTypes: true })
		.filter((entry) => entry.isDirectory())
		.map((entry) => entry.name)
		.sort();
}

function readCase(name: string): Case {
	const directory = path.join(root, name);
	const file = readdirSync(directory).find((entry) => entry.startsWith("expected"));
	if (file === undefined) throw new Error(`${directory}: no expected file`);
	const extension = file.slice("expected".length);
	const read = (role: string) => readFileSync(path.join(directory, role + extension));
	const about = path.join(directory, "case.json");
	const fields = existsSync(about) ? (JSON.parse(readFileSync(about, "utf8")) as Partial<Case>) : {};
	return {
		path: `file${extension}`,
		later: "theirs",
		lost: [],
		...fields,
		name,
		base: existsSync(path.join(directory, `base${extension}`)) ? read("base") : null,
		ours: read("ours"),
		theirs: read("theirs"),
		expected: read("expected"),
	};
}
