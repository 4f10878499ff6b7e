import fs from "node:fs";
import path from "node:path";
import { FileExchanger } from "@robust-sync/git";
import type { WorkspacePaths } from "@robust-sync/workspace";
import { type Finding, ok, warning } from "./finding.ts";

/** Whether a file can be replaced in one step here, so that it is never missing (renameat2(2)). @throws the file system's error */
export async function checkExchange(paths: WorkspacePaths, exchanger = new FileExchanger()): Promise<Finding> {
	const check = "file system";
	const directory = fs.mkdtempSync(path.join(fs.existsSync(paths.sync) ? paths.sync : paths.root, ".doctor-"));
	try {
		const [a, b] = [path.join(directory, "a"), path.join(directory, "b")];
		fs.writeFileSync(a, "a");
		fs.writeFileSync(b, "b");
		const isSwapped = (await exchanger.exchange(Buffer.from(a), Buffer.from(b))) && fs.readFileSync(a, "utf8") === "b";
		if (isSwapped) return ok(check, "files are replaced in one step");
		return warning(
			check,
			"files cannot be exchanged here: a replaced file is missing for a moment",
			"apt-get install perl-base, or a file system with renameat2(RENAME_EXCHANGE): ext4, xfs, btrfs, tmpfs",
		);
	} finally {
		exchanger.close();
		fs.rmSync(directory, { recursive: true, force: true });
	}
}
