// Runs one suite: `node bin/build/test.mjs fast|slow|systemd [jest arguments]`. Installs and builds first.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { root } from "./bootstrap.mjs";
import { build } from "./build.mjs";

const [suite = "fast", ...rest] = process.argv.slice(2);
if (!["fast", "slow", "systemd"].includes(suite)) {
	process.stderr.write(`no suite '${suite}': fast, slow or systemd\n`);
	process.exit(2);
}
await build();
const jest = spawnSync(
	process.execPath,
	["--experimental-vm-modules", "--no-warnings", path.join(root, "node_modules/jest/bin/jest.js"), ...rest],
	{
		cwd: root,
		stdio: "inherit",
		env: { ...process.env, ROBUST_SYNC_SUITE: suite },
	},
);
process.exit(jest.status ?? 1);
