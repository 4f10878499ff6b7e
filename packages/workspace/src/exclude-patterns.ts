/** Limit of patterns: no person writes a longer list. */
const maxPatterns = 1_000;
/** PATH_MAX: no path is longer, so no pattern need be. */
const maxPatternBytes = 4_096;

/** The accepted form, for the error message. */
export const excludePatternsAccepted = `gitignore patterns separated by blanks (a blank in a name: "\\ "), at most ${maxPatterns}`;

/** Splits at blanks; one after a backslash belongs to the pattern. */
function splitPatterns(text: string): string[] {
	return (text.match(/(?:\\.|[^\s\\]|\\$)+/gs) ?? []).filter((pattern) => pattern !== "");
}

/** Whether each bracket expression is closed: git lets a pattern with an open one match nothing (wildmatch). */
function hasOpenBracket(pattern: string): boolean {
	const rest = pattern.replaceAll(/\\./gs, "");
	return /\[(?![!^]?\]?[^\]]*\])/s.test(rest);
}

/** Why a pattern can match no path, which is certainly a mistake; null: it can. */
function problemOf(pattern: string): string | null {
	const body = pattern.startsWith("!") ? pattern.slice(1) : pattern;
	if (Buffer.byteLength(pattern) > maxPatternBytes) return `is longer than ${maxPatternBytes} bytes`;
	if (/[\u0000-\u001f\u007f]/.test(pattern)) return "holds a control character";
	if (body.startsWith("#")) return "is a comment to git: write \\#";
	if (/(?:^|[^\\])(?:\\\\)*\\$/.test(body)) return "ends with a backslash";
	if (hasOpenBracket(body)) return "has a [ without a ]: write \\[ for the character";
	const parts = body.replace(/^\//, "").replace(/\/$/, "").split("/");
	if (parts.some((part) => part === "")) return "has an empty part";
	if (parts.some((part) => part === "." || part === "..")) return "has a part . or .., which no path of git has";
	return null;
}

/**
 * The patterns of SYNC_EXCLUDE, in their order.
 * @returns a text instead if one of them can match nothing: which one, and why
 */
export function parseExcludePatterns(text: string): readonly string[] | string {
	const patterns = splitPatterns(text);
	if (patterns.length > maxPatterns) return `these are ${patterns.length}`;
	for (const pattern of patterns) {
		const problem = problemOf(pattern);
		if (problem !== null) return `${JSON.stringify(pattern)} ${problem}`;
	}
	if (patterns.length > 0 && patterns.every((pattern) => pattern.startsWith("!"))) return "with nothing but ! nothing is excluded";
	return patterns;
}
