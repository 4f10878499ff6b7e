/** A place in a content: offsets of start and end. */
export type Place = readonly [start: number, end: number];

/** A content with other bytes in some places; itself if there are none. @param places in their order @param instead for a place of some bytes */
export function withPlaces(content: Buffer, places: readonly Place[], instead: (bytes: number) => Buffer): Buffer {
	if (places.length === 0) return content;
	const parts: Buffer[] = [];
	let done = 0;
	for (const [start, end] of places) {
		parts.push(content.subarray(done, start), instead(end - start));
		done = end;
	}
	return Buffer.concat([...parts, content.subarray(done)]);
}
