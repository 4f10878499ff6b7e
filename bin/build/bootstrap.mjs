// Brings node_modules in line with the lockfile. Needs only node and npm: pnpm is fetched at its pinned version.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./single-file-lock.mjs";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const stamp = path.join(root, "node_modules/.bootstrapped");
const dist = path.join(root, "dist");

function lockfileHash() {
	return createHash("sha256")
		.update(readFileSync(path.join(root, "pnpm-lock.yaml")))
		.digest("hex");
}

/** True when the dependencies were installed from the present lockfile. */
export function isBootstrapped() {
	try {
		return readFileSync(stamp, "utf8") === lockfileHash();
	} catch {
		return false;
	}
}

function install() {
	const { packageManager } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
	const hash = lockfileHash();
	rmSync(stamp, { force: true });
	const result = spawnSync("npx", ["-y", packageManager, "install", "--frozen-lockfile"], {
		cwd: root,
		// Standard output belongs to the command that needed the dependencies.
		stdio: ["ignore", process.stderr, "inherit"],
		env: { ...process.env, npm_config_update_notifier: "false", CI: "true" },
	});
	if (result.error) throw new Error(`npx cannot be started (${result.error.code}): install npm`);
	if (result.status !== 0) throw new Error("the dependencies could not be installed: see the lines above; is the npm registry reachable?");
	writeFileSync(stamp, hash);
}

/** Installs the dependencies exactly as locked, unless that is already done. Throws with one line when it fails. */
export async function bootstrap() {
	await withLock(path.join(dist, ".installing"), isBootstrapped, install);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bootstrap();
