// Brings node_modules in line with the lockfile. Needs only node and npm: pnpm is fetched at its pinned version.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const stamp = path.join(root, "node_modules/.bootstrapped");

/** True when the dependencies were installed from the lockfile as it is now. */
export function isBootstrapped() {
	const lockfile = path.join(root, "pnpm-lock.yaml");
	return existsSync(stamp) && readFileSync(stamp, "utf8") === String(statSync(lockfile).size) + readFileSync(lockfile, "utf8").slice(-64);
}

/** Installs the dependencies exactly as locked, unless that is already done. Throws with one line when it fails. */
export function bootstrap() {
	if (isBootstrapped()) return;
	const { packageManager } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
	const result = spawnSync("npx", ["-y", packageManager, "install", "--frozen-lockfile"], {
		cwd: root,
		stdio: ["ignore", process.stderr, "inherit"],
		env: { ...process.env, npm_config_update_notifier: "false", CI: "true" },
	});
	if (result.status !== 0) throw new Error("the dependencies could not be installed: see the lines above; is the npm registry reachable?");
	const lockfile = path.join(root, "pnpm-lock.yaml");
	writeFileSync(stamp, String(statSync(lockfile).size) + readFileSync(lockfile, "utf8").slice(-64));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) bootstrap();
