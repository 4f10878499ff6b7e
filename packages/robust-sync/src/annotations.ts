import { readHead, withObjectReader } from "@robust-sync/git";
import { type Annotation, annotatedTrailer, readAnnotation, removeAnnotation } from "@robust-sync/workspace";
import type { CycleContext } from "./cycle-context.ts";

/** What the next commit is to say about itself; null: nothing, or the last one says it already (its process was killed then). @throws GitError */
export async function nextAnnotation({ repository, paths }: CycleContext): Promise<Annotation | null> {
	const annotation = readAnnotation(paths);
	if (annotation === null) return null;
	const { oid } = await readHead(repository);
	if (oid === null) return annotation;
	const [head = Buffer.alloc(0)] = await withObjectReader(repository, (reader) => reader.contents([oid]));
	if (!head.toString("utf8").includes(`\n${annotatedTrailer}: ${annotation.at}\n`)) return annotation;
	removeAnnotation(paths, annotation);
	return null;
}
