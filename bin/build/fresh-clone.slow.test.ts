import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

const root = path.resolve(import.meta.dirname, "../..");
const executables = ["robust-sync", "heartbeat", "health-server", "monitor", "conflict-resolver"];

interface Finished {
	code: number | null;
	stdout: string;
	stderr: string;
}

function start(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Finished> {
	return new Promise((resolve, reject) => {
		const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
		const finished: Finished = { code: null, stdout: "", stderr: "" };
		child.stdout.on("data", (chunk) => {
			finished.stdout += chunk;
		});
		child.stderr.on("data", (chunk) => {
			finished.stderr += chunk;
		});
		child.on("error", reject);
		child.on("close", (code) => resolve({ ...finished, code }));
	});
}

/** The sources as they are now, without anything that was installed or built. */
function copySources(to: string): void {
	const names = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
	for (const name of names.split("\0").filter(Boolean)) {
		if (!lstatSync(path.join(root, name), { throwIfNoEntry: false })?.isFile()) continue;
		mkdirSync(path.dirname(path.join(to, name)), { recursive: true });
		copyFileSync(path.join(root, name), path.join(to, name));
	}
}

/** SHA-256 of each file that a build leaves in dist/. */
function hashes(clone: string): Record<string, string> {
	const dist = path.join(clone, "dist");
	const names = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => lstatSync(path.join(dist, name)).isFile());
	return Object.fromEntries(
		names.map((name) => [
			name,
			createHash("sha256")
				.update(readFileSync(path.join(dist, name)))
				.digest("hex"),
		]),
	);
}

describe("a clone that was never built", () => {
	let clone: string;
	beforeAll(() => {
		clone = mkdtempSync(path.join(os.tmpdir(), "robust-sync-clone-"));
		copySources(clone);
	});
	afterAll(() => rmSync(clone, { recursive: true, force: true }));

	test("fresh clone: all executables called at the same time → built once", async () => {
		const all = await Promise.all(executables.map((name) => start(path.join(clone, "bin", name), ["--version"])));
		for (const [index, { code, stdout }] of all.entries()) {
			expect(stdout).toMatch(new RegExp(`^${executables[index]} \\d+\\.\\d+\\.\\d+`));
			expect(code).toBe(0);
		}
		const said = all.filter(({ stderr }) => stderr.includes("building now"));
		expect(said).toHaveLength(1);
	});

	test("fresh clone: called again → not built, no output", async () => {
		expect((await start(path.join(clone, "bin/monitor"), ["--version"])).stderr).toBe("");
	});

	test("fresh clone: a second build, a build elsewhere → the same bytes", async () => {
		const first = hashes(clone);
		expect(Object.keys(first)).toEqual(expect.arrayContaining([...executables.map((name) => `${name}.mjs`), "sbom.cdx.json"]));
		expect((await start(process.execPath, [path.join(clone, "bin/build/build.mjs")])).code).toBe(0);
		expect(hashes(clone)).toEqual(first);

		const elsewhere = `${clone}-elsewhere`;
		try {
			execFileSync("cp", ["-al", clone, elsewhere]);
			rmSync(path.join(elsewhere, "dist"), { recursive: true });
			expect((await start(process.execPath, [path.join(elsewhere, "bin/build/build.mjs")])).code).toBe(0);
			expect(hashes(elsewhere)).toEqual(first);
		} finally {
			rmSync(elsewhere, { recursive: true, force: true });
		}
	});

	test("fresh clone: its package under npx → runs with nothing to fetch or build", async () => {
		const elsewhere = mkdtempSync(path.join(os.tmpdir(), "robust-sync-package-"));
		try {
			const packed = await start("npm", ["pack", "--json", "--pack-destination", elsewhere], { cwd: clone });
			expect(packed.code).toBe(0);
			const [{ filename, files }] = JSON.parse(packed.stdout);
			const names: string[] = files.map((file: { path: string }) => file.path);
			for (const name of executables)
				expect(names).toEqual(expect.arrayContaining([`bin/${name}`, `dist/${name}.mjs`, `dist/share/man/${name}.1`]));
			expect(names.filter((name) => /node_modules|\.test\.|^packages|^logs|^sync|\.sync_env/.test(name))).toEqual([]);

			const empty = path.join(elsewhere, "empty");
			mkdirSync(empty);
			const env = { ...process.env, npm_config_offline: "true", npm_config_cache: path.join(elsewhere, "cache") };
			for (const name of executables) {
				const { code, stdout, stderr } = await start("npx", ["-y", "-p", path.join(elsewhere, filename), "--", name, "--version"], {
					cwd: empty,
					env,
				});
				expect({ name, code, stderr }).toEqual({ name, code: 0, stderr: "" });
				expect(stdout).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+`));
			}
			const { stdout } = await start("npx", ["-y", "-p", path.join(elsewhere, filename), "--", "robust-sync", "--help"], {
				cwd: empty,
				env,
			});
			expect(stdout).toContain("--once");
			expect(readdirSync(empty)).toEqual([]);
		} finally {
			rmSync(elsewhere, { recursive: true, force: true });
		}
	});

	test("fresh clone: bill of materials → each bundled package, version, licence, hash", () => {
		const { bomFormat, components } = JSON.parse(readFileSync(path.join(clone, "dist/sbom.cdx.json"), "utf8"));
		expect(bomFormat).toBe("CycloneDX");
		for (const { purl, licenses, hashes: locked } of components) {
			expect(purl).toMatch(/^pkg:npm\/.+@\d/);
			expect(licenses).toHaveLength(1);
			expect(locked).toHaveLength(1);
		}
		expect(components.map(({ name }: { name: string }) => name)).toContain("zod");
	});
});
