import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { Files } from "@robust-sync/system/files";
import type * as z from "zod/mini";

/** The result of reading a state file. Readers never lock and never change a file. */
export type StateRead<T> =
	| { readonly kind: "ok"; readonly state: T }
	| { readonly kind: "missing" }
	/** Not JSON, not of the schema, or larger than any honest state file; `problem` has the details. */
	| { readonly kind: "invalid"; readonly problem: string };

/** The file system of a state file. */
export type StateFiles = Pick<Files, "open" | "fstat" | "readAll" | "close">;

/** This machine's, without the rest of its Files: `--status` loads as little as possible. */
const onDisk: StateFiles = {
	open: (file, flags) => openSync(file, flags),
	fstat: (descriptor) => fstatSync(descriptor),
	readAll: (descriptor) => readFileSync(descriptor),
	close: (descriptor) => closeSync(descriptor),
};

/** No honest state file comes near this; a hostile one must not fill the memory of its reader. */
const maxStateBytes = 16 * 1024 * 1024;

/** The text of one state file, unless it is missing or cannot be one. Never throws. */
export function readStateText(file: string, files: StateFiles = onDisk): StateRead<string> {
	let fd: number | null = null;
	try {
		// O_NONBLOCK: opening a named pipe must not wait for its other end.
		fd = files.open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		const stats = files.fstat(fd);
		if (!stats.isFile()) return { kind: "invalid", problem: "not a regular file" };
		if (stats.size > maxStateBytes) return { kind: "invalid", problem: `larger than ${maxStateBytes} bytes` };
		return { kind: "ok", state: files.readAll(fd).toString("utf8") };
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ELOOP" || code === "ENXIO") return { kind: "invalid", problem: "not a regular file" };
		return code === "ENOENT" || code === "ENOTDIR" ? { kind: "missing" } : { kind: "invalid", problem: `cannot be read (${code})` };
	} finally {
		if (fd !== null) files.close(fd);
	}
}

/** Reads and checks one state file. Never throws for what is in the file, or for a file that is not there. */
export function readState<S extends z.ZodMiniType>(file: string, schema: S, files: StateFiles = onDisk): StateRead<z.infer<S>> {
	const text = readStateText(file, files);
	if (text.kind !== "ok") return text;
	try {
		const result = schema.safeParse(JSON.parse(text.state));
		if (result.success) return { kind: "ok", state: result.data as z.infer<S> };
		const issue = result.error.issues[0];
		return { kind: "invalid", problem: `${issue?.path.join(".") || "the document"}: ${issue?.message ?? "not as expected"}` };
	} catch {
		return { kind: "invalid", problem: "not JSON" };
	}
}
