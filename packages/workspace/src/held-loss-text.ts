import type { HeldLoss } from "./state-schemas.ts";

/** The remedy. */
export const heldLossCommands = "robust-sync --approve lets it pass, robust-sync --reject puts the files back";

const shownPaths = 3;

const files = (count: number) => `${count} ${count === 1 ? "file" : "files"}`;

/** A held loss in one line, without its remedy. Paths are as in the state file: the caller makes them printable. */
export function heldLossText({ direction, files: count, deleted, emptied, replaced, tracked, paths }: HeldLoss): string {
	const how = [
		deleted > 0 ? `${deleted} deleted` : "",
		emptied > 0 ? `${emptied} emptied` : "",
		replaced > 0 ? `${replaced} replaced by other content` : "",
	].filter((part) => part !== "");
	const shown = paths.slice(0, shownPaths);
	const names = count > shown.length ? [...shown, "…"] : shown;
	const where = direction === "outgoing" ? "a commit of this node is not published" : "a commit that came in is not carried out here";
	return `${where}: it removes ${files(count)} of ${tracked} (${how.join(", ")}: ${names.join(", ")})`;
}
