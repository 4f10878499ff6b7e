import v8 from "node:v8";

/** The growth, in percent of what is in use. With 150,000 files a snapshot takes a third less memory, a checkout a tenth; CPU time is that of before. */
const percent = 40;
/** With fewer paths the heap is small, whatever part of it is garbage. */
const manyPaths = 50_000;

let isLimited = false;

/**
 * Called with the number of paths that are about to be in memory. Where they are many, V8 collects garbage when the heap has grown by 40 %, for
 * the rest of the process: else it waits until the heap is up to four times as large.
 */
export function limitGarbage(paths: number): void {
	if (isLimited || paths < manyPaths) return;
	isLimited = true;
	v8.setFlagsFromString(`--heap-growing-percent=${percent}`);
}
