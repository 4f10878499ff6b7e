import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { beneath, checkGitVersion, gitPathIfAllowed, type Repository } from "@robust-sync/git";
import { shellPath } from "@robust-sync/service/printable";
import { diskFiles } from "@robust-sync/system/disk-files";
import { formatSize } from "@robust-sync/system/format-size";
import { type Config, isOwnName, type WorkspacePaths } from "@robust-sync/workspace";
import { accessTimesOf } from "../checkout/access-times.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";

const oldestNode = [20, 11] as const;

/** This program, Node and git. @param git output of `git --version`; null: git cannot be run */
export function checkVersions(version: string, git: string | null): Finding {
	const check = "versions";
	const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
	const isOld = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
	const gitVersion = /\d+(?:\.\d+)+/.exec(git ?? "")?.[0];
	const text = `robust-sync ${version}, Node ${process.versions.node}, git ${gitVersion ?? "unknown"}, ${os.type()} ${os.release()}`;
	if (isOld) return failed(check, `${text}: Node is too old`, `install Node ${oldestNode.join(".")} or newer`);
	if (git === null) return failed(check, `${text}: git cannot be run`, "apt-get install git");
	try {
		checkGitVersion(git);
		return ok(check, text);
	} catch (error) {
		return failed(check, (error as Error).message, "apt-get install git, from a newer release or backports");
	}
}

// statfs(2)
const networkFileSystems = new Map([
	[0x6969, "NFS"],
	[0xff534d42, "CIFS"],
	[0xfe534d42, "SMB"],
	[0x517b, "SMB"],
	[0x01021997, "9p"],
	[0x65735546, "FUSE"],
	[0x00c36400, "Ceph"],
]);
const lowShare = 0.1;
const criticalShare = 0.03;

/** A probe of the file system. */
export interface Disk {
	statfs(directory: string): Pick<fs.StatsFs, "bsize" | "blocks" | "bavail" | "files" | "ffree" | "type">;
	device(file: string): number;
	exists(file: string): boolean;
	link(from: string, to: string): void;
	makeDirectory(prefix: string): string;
}

const realDisk: Disk = {
	statfs: (directory) => fs.statfsSync(directory),
	device: (file) => fs.statSync(file).dev,
	exists: fs.existsSync,
	link: fs.linkSync,
	makeDirectory: (prefix) => fs.mkdtempSync(prefix),
};

/** The file system of the workspace: free space, hard links, names that differ only in case, networks, and whether `sync/` is on the same one. */
export function checkFileSystem(paths: WorkspacePaths, disk = realDisk): Finding[] {
	const check = "file system";
	const found: Finding[] = [];
	const { bsize, blocks, bavail, files, ffree, type } = disk.statfs(paths.root);
	const network = networkFileSystems.get(type);
	if (network !== undefined)
		found.push(
			warning(
				check,
				`${paths.root} is on ${network}: changes made elsewhere are seen at the interval only`,
				"SYNC_INTERVAL=10, or a local disk",
			),
		);
	for (const [share, what, action] of [
		[blocks > 0 ? bavail / blocks : 1, "space", "du -xsh sync/backups sync/conflicts logs .git"],
		[files > 0 ? ffree / files : 1, "inodes", "find . -xdev -type d | wc -l"],
	] as const) {
		if (share >= lowShare) continue;
		const message = `${(share * 100).toFixed(1)} % of the ${what} is free (${formatSize(bavail * bsize)})`;
		found.push(share < criticalShare ? failed(check, message, action) : warning(check, message, action));
	}
	if (fs.existsSync(paths.sync) && disk.device(paths.sync) !== disk.device(paths.root))
		found.push(
			warning(
				check,
				"sync/ is on another file system than the workspace: files are copied instead of moved into place",
				"put sync/ on the workspace's file system",
			),
		);
	let probe: string | null = null;
	try {
		probe = disk.makeDirectory(path.join(fs.existsSync(paths.sync) ? paths.sync : paths.root, ".doctor-"));
		const file = path.join(probe, "a");
		fs.writeFileSync(file, "");
		if (disk.exists(path.join(probe, "A")))
			found.push(
				warning(
					check,
					"names that differ only in case are one file here: only one of two such files is placed",
					"rename them on another node, or use another file system",
				),
			);
		try {
			disk.link(file, path.join(probe, "b"));
		} catch (error) {
			found.push(
				warning(
					check,
					`hard links cannot be made here (${(error as NodeJS.ErrnoException).code}): replaced files are kept as copies`,
					"a file system with hard links",
				),
			);
		}
	} catch (error) {
		found.push(
			failed(
				check,
				`nothing can be written here (${(error as NodeJS.ErrnoException).code})`,
				`ls -la ${shellPath(paths.root)}; mount | grep -w ro`,
			),
		);
	} finally {
		if (probe !== null) fs.rmSync(probe, { recursive: true, force: true });
	}
	if (found.length === 0)
		found.push(ok(check, `${((bavail / Math.max(1, blocks)) * 100).toFixed(0)} % free (${formatSize(bavail * bsize)})`));
	return found;
}

/** Whether a stale write is still recognized long after a checkout. */
export function checkAccessTimes(paths: WorkspacePaths, config: Config): Finding {
	const check = "access times";
	if (config.syncAtime !== "off" && !fs.existsSync(paths.sync)) return ok(check, "probed by the first cycle");
	const { tell, reason } = accessTimesOf(diskFiles, paths, config);
	const effect = "a stale write is recognized for 10 s after a checkout only";
	if (tell || config.syncAtime === "off") return ok(check, tell ? `${reason}: stale writes are recognized` : `${reason}: ${effect}`);
	return warning(check, `${reason}: ${effect}`, "mount it with relatime, or set SYNC_ATIME=off to accept that");
}

const readNumber = (file: string): number | null => {
	try {
		return Number(fs.readFileSync(file, "utf8")) || null;
	} catch {
		return null;
	}
};

/** More directories than this are not counted. */
const mostCounted = 2_000_000;

function countDirectories(root: string): number {
	let count = 1;
	const waiting = [root];
	for (let directory = waiting.pop(); directory !== undefined && count < mostCounted; directory = waiting.pop()) {
		try {
			for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
				if (!entry.isDirectory() || entry.name === ".git" || (directory === root && isOwnName(entry.name))) continue;
				count++;
				waiting.push(path.join(directory, entry.name));
			}
		} catch {
			// Unreadable: reported among the files that are left out.
		}
	}
	return count;
}

const readLimit = () => readNumber("/proc/sys/fs/inotify/max_user_watches");

/** Whether the kernel can watch each directory. @param limit watches of a user; null: unknown */
export function checkWatches(paths: WorkspacePaths, config: Config, limit = readLimit()): Finding {
	const check = "watches";
	if (!config.syncWatch) return ok(check, "off (SYNC_WATCH=0): changes are found at the interval");
	const count = countDirectories(paths.root);
	if (limit === null) return ok(check, `${count} directories`);
	const raise = `sudo sysctl fs.inotify.max_user_watches=${Math.max(524_288, count * 2)}`;
	if (count > limit) return failed(check, `${count} directories, and the kernel allows ${limit} watches a user`, raise);
	if (count > limit * 0.7) return warning(check, `${count} directories, and the kernel allows ${limit} watches a user`, raise);
	return ok(check, `${count} directories of ${limit}`);
}

/** Filters for files here without a program in git's configuration. @throws GitError */
export async function checkFilters(repository: Repository): Promise<Finding[]> {
	const { stdout: attributes } = await repository.run(["ls-files", "-z", "--cached", "--others", "--", ":(glob)**/.gitattributes"]);
	const wanted = new Set<string>();
	const encodings = new Set<string>();
	for (const name of attributes.toString("latin1").split("\0").filter(Boolean)) {
		const file = gitPathIfAllowed(name);
		if (file === null) continue;
		try {
			const text = beneath(repository.root, file, (place) => fs.readFileSync(place, "utf8"));
			for (const [, filter] of text.matchAll(/(?:^|\s)filter=([\w.-]+)/gm)) if (filter) wanted.add(filter);
			for (const [, encoding] of text.matchAll(/\sworking-tree-encoding=([\w.:-]+)/g)) if (encoding) encodings.add(encoding);
		} catch {
			// Removed meanwhile.
		}
	}
	const found: Finding[] = [];
	for (const filter of wanted) {
		const command = repository.config.get(`filter.${filter}.process`) ?? repository.config.get(`filter.${filter}.clean`);
		const program = command?.trim().split(/\s+/)[0] ?? "";
		if (command === undefined)
			found.push(
				warning(
					"filters",
					`files ask for the filter '${filter}', which is not configured here: they are synced without it`,
					filter === "lfs" ? "apt-get install git-lfs && git lfs install" : `git config filter.${filter}.clean …`,
				),
			);
		else if (!isProgram(program, repository.env.PATH ?? process.env.PATH ?? ""))
			found.push(
				failed(
					"filters",
					`the filter '${filter}' needs '${program}', which is not installed`,
					filter === "lfs" ? "apt-get install git-lfs" : `install ${program}`,
				),
			);
	}
	for (const encoding of encodings)
		if (!isEncoding(encoding))
			found.push(
				failed(
					"filters",
					`files ask for the encoding '${encoding}', which is not known here: they are held and not committed`,
					"iconv -l lists the names; correct working-tree-encoding in .gitattributes",
				),
			);
	return found.length > 0 ? found : [ok("filters", wanted.size === 0 ? "none" : [...wanted].join(", "))];
}

/** Whether iconv(1), and with it git, knows an encoding; without the program everything counts as known. */
function isEncoding(name: string): boolean {
	const { status, error } = spawnSync("iconv", ["-f", "UTF-8", "-t", name], {
		input: "",
		stdio: ["pipe", "ignore", "ignore"],
		timeout: 10_000,
	});
	return error !== undefined || status === 0;
}

function isProgram(name: string, search: string): boolean {
	if (/[^\w./-]/.test(name) || name === "") return true;
	return name.includes("/") ? fs.existsSync(name) : search.split(":").some((directory) => fs.existsSync(path.join(directory, name)));
}
