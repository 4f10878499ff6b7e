import type { Files } from "@robust-sync/system/files";
import { directoriesAbove, fileSystemPath, type GitPath } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";

const slash = 0x2f;

/** Other forms of a name: on a file system that ignores case, or the normalization of letters, one of them finds the same file. */
function otherForms(name: Buffer): Buffer[] {
	const text = name.toString();
	if (!Buffer.from(text).equals(name)) return [];
	const otherThanText = (forms: readonly string[]) => forms.find((form) => form !== text) ?? [];
	// Every such file system knows both cases of a to z. Not each knows those of all other letters, such as the capital of ß.
	const swapped = text.replace(/[a-z]/gi, (letter) => (letter < "a" ? letter.toLowerCase() : letter.toUpperCase()));
	const forms = [
		[swapped, text.toLowerCase(), text.toUpperCase()],
		[text.normalize("NFC"), text.normalize("NFD")],
	];
	return forms.flatMap(otherThanText).map((form) => Buffer.from(form));
}

/**
 * Whether the file at a path has another name there: a file system that ignores case finds `f.md` for `F.md`. Such a path has no file of its own.
 * Lists the directory only where another form of the name finds the same file.
 * @param file of a directory that is named exactly
 * @throws the file system's error
 */
export function hasOtherName(files: Files, file: Buffer): boolean {
	const at = file.lastIndexOf(slash) + 1;
	const [directory, name] = [file.subarray(0, at), file.subarray(at)];
	// Mostly there is none: one look-up is enough.
	const others = otherForms(name).flatMap((form) => files.lstatIfThere(Buffer.concat([directory, form])) ?? []);
	const stats = others.length > 0 ? files.lstatIfThere(file) : null;
	if (stats === null || !others.some(({ ino, dev }) => ino === stats.ino && dev === stats.dev)) return false;
	return !files.readdir(directory).some((entry) => entry.equals(name));
}

/** As `hasOtherName`, for a path in a working tree and each directory above it. False: the file system does not report it. */
export function hasOtherNameBelow({ root, files }: Pick<Repository, "root" | "files">, path: GitPath): boolean {
	try {
		return [...directoriesAbove(path), path].some((name) => hasOtherName(files, Buffer.from(fileSystemPath(root, name))));
	} catch {
		return false;
	}
}
