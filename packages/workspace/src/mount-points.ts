import fs from "node:fs";
import { type GitPath, isGitPath } from "@robust-sync/git/git-path";

/** mountinfo writes blanks, tabs, line feeds and backslashes in octal (proc_pid_mountinfo(5)). */
const unescapeOctal = (text: string) =>
	text.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/**
 * The mount points strictly below a directory, as paths relative to it with one character for each byte. Empty where there is no
 * /proc. @param root absolute
 */
export function mountPointsBelow(root: string, mountinfo = "/proc/self/mountinfo"): Set<GitPath> {
	let [text, real] = ["", root];
	try {
		text = fs.readFileSync(mountinfo, "latin1");
		// The kernel names mount points by what links lead to.
		real = fs.realpathSync(root);
	} catch {
		if (text === "") return new Set();
	}
	const above = `${Buffer.from(real).toString("latin1").replace(/\/$/, "")}/`;
	const points = text.split("\n").map((line) => unescapeOctal(line.split(" ")[4] ?? ""));
	return new Set(
		points
			.filter((point) => point.startsWith(above) && point.length > above.length)
			.map((point) => point.slice(above.length))
			.filter(isGitPath),
	);
}
