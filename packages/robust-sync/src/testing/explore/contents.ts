/** Kinds of files, as packages/merge distinguishes them. */
export const kinds = ["json", "notes", "code", "binary"] as const;
export type Kind = (typeof kinds)[number];

export const extensions: Readonly<Record<Kind, string>> = { json: "json", notes: "md", code: "py", binary: "bin" };

/** A mark that is in no other content, and identifies its writer. */
export const tokenOf = (path: number, name: string | number) => `tok${path}x${name}z`;

/** All marks in some bytes, in their order. */
export const tokensIn = (bytes: Buffer) => bytes.toString("latin1").match(/tok\d+x[a-y0-9]+z/g) ?? [];

/** A file by its first writer. */
export function firstContent(kind: Kind, token: string): Buffer {
	switch (kind) {
		case "json":
			return Buffer.from(`${JSON.stringify({ [token]: 1 }, null, 2)}\n`);
		case "notes":
			return Buffer.from(`# Notes\n\n- ${token}\n`);
		case "code":
			return Buffer.from(
				`import os\n\n\ndef ${token}():\n    return 1\n\n\ndef between():\n    return os\n\n\ndef last():\n    return 3\n`,
			);
		case "binary":
			return Buffer.from(`\0\u0001${token}\0`);
	}
}

function withKey(bytes: Buffer, token: string): Buffer {
	let read: unknown = {};
	try {
		read = JSON.parse(bytes.toString("utf8"));
	} catch {
		// A program that cannot read its file begins a new one.
	}
	return Buffer.from(`${JSON.stringify({ ...(read as object), [token]: 1 }, null, 2)}\n`);
}

/** A program's next version of a file that it has read. @param at code has one place for incoming changes, and one for local ones */
export function withToken(kind: Kind, bytes: Buffer, token: string, at: "top" | "bottom"): Buffer {
	switch (kind) {
		case "json":
			return withKey(bytes, token);
		case "notes":
			return Buffer.concat([bytes, appended(kind, token)]);
		case "code": {
			const text = bytes.toString("utf8");
			return at === "top" ? Buffer.from(`import ${token}\n${text}`) : Buffer.from(`${text}\n\ndef ${token}():\n    return 2\n`);
		}
		case "binary":
			return Buffer.concat([bytes, appended(kind, token)]);
	}
}

/** A program's next version of a document, without its first or last mark. @returns that mark; null: none can be removed */
export function withoutToken(kind: Kind, bytes: Buffer, which: "first" | "last"): { content: Buffer; token: string | null } {
	const token = tokensIn(bytes).at(which === "first" ? 0 : -1) ?? null;
	if (kind !== "json" || token === null) return { content: bytes, token: null };
	try {
		const { [token]: _removed, ...left } = JSON.parse(bytes.toString("utf8")) as Record<string, number>;
		return { content: Buffer.from(`${JSON.stringify(left, null, 2)}\n`), token };
	} catch {
		return { content: bytes, token: null };
	}
}

/** An addition by a program that does not read the file. */
export function appended(kind: Kind, token: string): Buffer {
	return Buffer.from(
		kind === "binary" ? `${token}\0` : kind === "notes" ? `- ${token}\n` : kind === "code" ? `\n# ${token}\n` : `"${token}"\n`,
	);
}
