import fs from "node:fs";
import { type GitPath, isGitPath } from "@robust-sync/git/git-path";

/** mountinfo writes blanks, tabs, line feeds and backslashes in octal (proc_pid_mountinfo(5)). */
const unescapeOctal = (text: string) =>
	text.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** The kernel writes a path without these as it is. */
const escaped = /[\s\\#]/;

/**
 * The mount points strictly below a directory, as paths relative to it with one character for each byte. Empty where there is no
 * /proc. @param root absolute
 */
export function mountPointsBelow(root: string, mountinfo = "/proc/self/mountinfo"): Set<GitPath> {
	let [text, real] = ["", root];
	try {
		text = fs.readFileSync(mountinfo, "latin1");
		// The kernel names mount points by their real paths.
		real = fs.realpathSync(root);
	} catch {
		if (text === "") return new Set();
	}
	const above = `${Buffer.from(real).toString("latin1").replace(/\/$/, "")}/`;
	// Mostly there is no such mount point, and the table of a machine with containers is long.
	if (!escaped.test(above) && !text.includes(above)) return new Set();
	const points = text.split("\n").map((line) => unescapeOctal(line.split(" ")[4] ?? ""));
	return new Set(
		points
			.filter((point) => point.startsWith(above) && point.length > above.length)
			.map((point) => point.slice(above.length))
			.filter(isGitPath),
	);
}

/** One mount, as a process sees it (proc_pid_mountinfo(5)). */
export interface Mount {
	/** `major:minor` of the mounted device. */
	readonly device: string;
	readonly point: string;
	readonly type: string;
	/** Whether reads through it do not update access times. */
	readonly isNoatime: boolean;
}

/** The mounts that a process sees, in the order of their creation; none if they cannot be read. @param text only lines with it are parsed */
export function readMounts(mountinfo = "/proc/self/mountinfo", text = ""): Mount[] {
	let table: string;
	try {
		table = fs.readFileSync(mountinfo, "latin1");
	} catch {
		return [];
	}
	if (!table.includes(text)) return [];
	return table.split("\n").flatMap((line) => {
		if (!line.includes(text)) return [];
		const [before = "", after = ""] = line.split(" - ", 2);
		const [, , device, , point, options = ""] = before.split(" ");
		if (device === undefined || point === undefined) return [];
		return [{ device, point: unescapeOctal(point), type: after.split(" ")[0] ?? "", isNoatime: options.split(",").includes("noatime") }];
	});
}

/** The mount that a directory is on. Null: unknown. */
export function mountOf(directory: string): Mount | null {
	let real: string;
	try {
		real = Buffer.from(fs.realpathSync(directory)).toString("latin1");
	} catch {
		return null;
	}
	let found: Mount | null = null;
	for (const mount of readMounts()) {
		const isAbove = real === mount.point || real.startsWith(mount.point === "/" ? "/" : `${mount.point}/`);
		// Of mounts on top of each other the last one counts.
		if (isAbove && mount.point.length >= (found?.point.length ?? 0)) found = mount;
	}
	return found;
}

/**
 * A mount of a device through which reads do not update access times, in any mount namespace that this process can see.
 * @returns the mount, and a process that sees it; null: there is none
 */
export function findNoatimeMount(device: string): { readonly mount: Mount; readonly pid: string } | null {
	const seen = new Set<string>();
	let ids: string[];
	try {
		ids = fs.readdirSync("/proc").filter((id) => /^\d+$/.test(id));
	} catch {
		return null;
	}
	for (const pid of ids) {
		try {
			const namespace = fs.readlinkSync(`/proc/${pid}/ns/mnt`);
			if (seen.has(namespace)) continue;
			seen.add(namespace);
		} catch {
			// The process is gone, or belongs to another user.
			continue;
		}
		const mount = readMounts(`/proc/${pid}/mountinfo`, "noatime").find((each) => each.device === device && each.isNoatime);
		if (mount) return { mount, pid };
	}
	return null;
}
