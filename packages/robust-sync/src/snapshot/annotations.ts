import { readHead, withObjectReader } from "@robust-sync/git";
import { type Annotation, annotatedTrailer, readAnnotation, removeAnnotation } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { secretIn } from "../secrets/texts.ts";

/** The annotation for the next commit; null: none, or the last commit has it already (its process was killed then). @throws GitError */
export async function nextAnnotation(context: CycleContext): Promise<Annotation | null> {
	const { repository, paths, log } = context;
	const annotation = readAnnotation(paths);
	if (annotation === null) return null;
	const secret = await secretIn(context, "annotation", Buffer.from([annotation.text, annotation.agent, annotation.run].join("\n")));
	if (secret !== null && context.config.syncSecrets === "hold") {
		log.warn(`the annotation for the next commit holds a secret (${secret.rule}): it is left out`);
		removeAnnotation(paths, annotation);
		return null;
	}
	const { oid } = await readHead(repository);
	if (oid === null) return annotation;
	const [head = Buffer.alloc(0)] = await withObjectReader(repository, (reader) => reader.contents([oid]));
	if (!head.toString("utf8").includes(`\n${annotatedTrailer}: ${annotation.at}\n`)) return annotation;
	removeAnnotation(paths, annotation);
	return null;
}
