import { rmSync } from "node:fs";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import { timestamp } from "@robust-sync/system/timestamps";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";

/** When the annotation was written. */
export const annotatedTrailer = "Annotated-At";

/** The length limit of a text; longer ones belong into a file. */
const maxTextLength = 4_096;
const maxNameLength = 200;

export const annotationSchema = z.object({
	schema: z.literal(1),
	/** The reason for the next commit, in words; several lines are allowed. */
	text: z.string(),
	/** The program that works, and its run; null: not given. */
	agent: z.nullable(z.string()),
	run: z.nullable(z.string()),
	at: z.string(),
});

/** The annotation of this node's next commit. */
export type Annotation = z.infer<typeof annotationSchema>;

/** A refused annotation. Exit code 2. */
export class AnnotationError extends Error {
	readonly exitCode = 2;
	override readonly name = "AnnotationError";
}

/** A line of a trailer: one line, without control characters. */
function nameOf(flag: string, value: string | undefined): string | null {
	if (value === undefined) return null;
	const name = value.trim();
	if (name === "" || name.length > maxNameLength || /[\0-\x1f\x7f]/.test(name))
		throw new AnnotationError(`${flag} takes a name of one line and at most ${maxNameLength} characters`);
	return name;
}

/**
 * Validates the annotation of the next commit.
 * @param now milliseconds since the epoch
 * @throws AnnotationError
 */
export function annotationOf(input: { text: string; agent?: string | undefined; run?: string | undefined }, now: number): Annotation {
	// Trailers are the last paragraph of a message, and those of an annotation follow its text (annotatedMessage).
	const text = input.text
		.replace(/\r\n?/g, "\n")
		.replace(/[\0-\x08\x0b-\x1f\x7f]/g, "")
		.trim();
	if (text === "" || text.length > maxTextLength)
		throw new AnnotationError(`--annotate takes a text of at most ${maxTextLength} characters: what is longer belongs into a file`);
	return { schema: 1, text, agent: nameOf("--agent", input.agent), run: nameOf("--run", input.run), at: timestamp(now) };
}

/** The annotation that waits for a commit; null: none. */
export function readAnnotation(paths: WorkspacePaths): Annotation | null {
	const read = readState(paths.annotation, annotationSchema);
	return read.kind === "ok" ? read.state : null;
}

/** Writes it durably; it replaces an earlier one. @throws the file system's error */
export function writeAnnotation(paths: WorkspacePaths, annotation: Annotation): void {
	writeAtomicSync(paths.annotation, `${JSON.stringify(annotation)}\n`, 0o600);
}

/** Removes an annotation that is in a commit; one that was written meanwhile stays for the next. */
export function removeAnnotation(paths: WorkspacePaths, annotation: Annotation): void {
	const now = readAnnotation(paths);
	if (now !== null && JSON.stringify(now) === JSON.stringify(annotation)) rmSync(paths.annotation, { force: true });
}

/** The message of a commit with an annotation: its text as a paragraph, agent and run as trailers. @param subject one line */
export function annotatedMessage(subject: string, annotation: Annotation | null): string {
	if (annotation === null) return subject;
	const { text, agent, run, at } = annotation;
	// There is always one trailer: otherwise text that looks like trailers would be parsed as such.
	const trailers = [agent === null ? [] : [`Agent: ${agent}`], run === null ? [] : [`Run: ${run}`], `${annotatedTrailer}: ${at}`].flat();
	return [subject, text, trailers.join("\n")].join("\n\n");
}
