// The lines that git writes around the sides of a conflict (gitattributes(5), conflict-marker-size: 7 unless set; more in nested conflicts).
const markerLine = /^(?:<{7,}|>{7,}|\|{7,})(?: .*)?\r?$/gm;

/** Lines that look like conflict markers. `=======` alone is no evidence: it underlines headings. */
export function markerLines(content: Uint8Array): string[] {
	return Buffer.from(content.buffer, content.byteOffset, content.length).toString("latin1").match(markerLine) ?? [];
}

/**
 * Whether a file has conflict markers left. Lines that look like them but are in one of the merged versions are text.
 * @param versions contents of the stages
 */
export function hasConflictMarkers(content: Uint8Array, versions: readonly Uint8Array[]): boolean {
	const found = markerLines(content);
	if (found.length === 0) return false;
	const text = new Set(versions.flatMap(markerLines));
	return found.some((line) => !text.has(line));
}
