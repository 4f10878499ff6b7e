import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

const root = path.resolve(import.meta.dirname, "../..");
const executables = ["robust-sync", "heartbeat", "health-server", "monitor", "conflict-resolver"];
/** A registry that still runs on Node 20. */
const verdaccio = "5.33.0";
const packageName = "robust-sync";

let directory: string;
let registry: string;
let server: ReturnType<typeof spawn>;
let environment: NodeJS.ProcessEnv;

/** Runs a command to its end. @throws with its output when it fails */
function run(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): string {
	return execFileSync(command, args, {
		cwd: directory,
		env: environment,
		encoding: "utf8",
		stdio: ["ignore", "pipe", "pipe"],
		timeout: 300_000,
		...options,
	});
}

async function freePort(): Promise<number> {
	const probe = createServer();
	await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
	const { port } = probe.address() as AddressInfo;
	await new Promise((resolve) => probe.close(resolve));
	return port;
}

/** Starts the registry, with only those packages that are published to it. */
async function startRegistry(): Promise<void> {
	mkdirSync(path.join(directory, "registry"));
	// It asks for a tag that not every registry knows.
	const manifest = { dependencies: { verdaccio }, overrides: { "node-fetch": "2.7.0" } };
	writeFileSync(path.join(directory, "registry/package.json"), JSON.stringify(manifest));
	run("npm", ["install", "--no-audit", "--no-fund"], { cwd: path.join(directory, "registry"), env: process.env });
	const port = await freePort();
	registry = `http://127.0.0.1:${port}/`;
	const configuration = path.join(directory, "registry.yaml");
	writeFileSync(
		configuration,
		[
			`storage: ${directory}/storage`,
			`auth: { htpasswd: { file: ${directory}/htpasswd, max_users: 10 } }`,
			"packages: { '**': { access: $all, publish: $authenticated } }",
			"web: { enable: false }",
			// A clone that was built often has parts of several builds; a package that is made to be published has not.
			"max_body_size: 200mb",
			"log: { type: stdout, format: json, level: error }",
			"",
		].join("\n"),
	);
	server = spawn(
		process.execPath,
		[path.join(directory, "registry/node_modules/verdaccio/bin/verdaccio"), "--config", configuration, "--listen", `127.0.0.1:${port}`],
		{ stdio: "ignore" },
	);
	for (;;) {
		if (server.exitCode !== null) throw new Error(`the registry ended with ${server.exitCode}`);
		const answer = await fetch(`${registry}-/ping`).catch(() => null);
		if (answer?.ok) return;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
}

beforeAll(async () => {
	directory = mkdtempSync(path.join(os.tmpdir(), "robust-sync-npm-"));
	environment = {
		...process.env,
		npm_config_cache: path.join(directory, "cache"),
		npm_config_userconfig: path.join(directory, "npmrc"),
		npm_config_update_notifier: "false",
	};
	await startRegistry();
	const user = await fetch(`${registry}-/user/org.couchdb.user:releaser`, {
		method: "PUT",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({ name: "releaser", password: "only-for-this-test", email: "releaser@example.org" }),
	});
	const { token } = (await user.json()) as { token: string };
	writeFileSync(path.join(directory, "npmrc"), `registry=${registry}\n${registry.slice("http:".length)}:_authToken=${token}\n`);
	// Packs the bundles of this run's build.
	run("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], { cwd: root });
	const [tarball] = readdirSync(directory).filter((name) => name.endsWith(".tgz"));
	run("npm", ["publish", path.join(directory, tarball as string)]);
});
afterAll(() => {
	server?.kill();
	rmSync(directory, { recursive: true, force: true });
});

/** The directory of another version of Node, in front of the PATH. */
function withNode(version: string | null): NodeJS.ProcessEnv {
	if (version === null) return environment;
	const node = run("npx", ["-y", "-p", `node@${version}`, "--", "node", "-p", "process.execPath"], { env: process.env }).trim();
	return { ...environment, PATH: `${path.dirname(node)}:${environment.PATH}` };
}

test.each([null, "22", "24", "26"])("npm package: global on Node %s → commands and man pages, two nodes sync", (version) => {
	const env = withNode(version);
	const prefix = path.join(directory, `global-${version ?? "own"}`);
	run("npm", ["install", "--global", "--prefix", prefix, packageName], { env });
	const command = (name: string) => path.join(prefix, "bin", name);
	for (const name of executables) {
		expect(run(command(name), ["--version"], { env })).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+`));
		expect(existsSync(path.join(prefix, "share/man/man1", `${name}.1`))).toBe(true);
		expect(existsSync(path.join(prefix, `lib/node_modules/${packageName}/dist/share/bash/${name}`))).toBe(true);
	}
	// Nothing but the package: no dependency is fetched, nothing is built.
	expect(readdirSync(path.join(prefix, "lib/node_modules"))).toEqual([packageName]);
	expect(existsSync(path.join(prefix, `lib/node_modules/${packageName}/node_modules`))).toBe(false);

	const world = path.join(directory, `world-${version ?? "own"}`);
	run("git", ["init", "--quiet", "--bare", "-b", "main", path.join(world, "hub.git")]);
	for (const node of ["helios", "chad"]) run("git", ["clone", "--quiet", path.join(world, "hub.git"), path.join(world, node)]);
	writeFileSync(path.join(world, "helios/note.md"), "hello\n");
	for (const node of ["helios", "chad"])
		run(command("robust-sync"), ["--workspace", path.join(world, node), "--once"], { env: { ...env, NODE_NAME: node } });
	expect(existsSync(path.join(world, "chad/note.md"))).toBe(true);
});

test("npm package: npx in an empty directory → runs from the registry, nothing left", () => {
	const empty = path.join(directory, "empty");
	mkdirSync(empty);
	expect(run("npx", ["-y", packageName, "--version"], { cwd: empty })).toMatch(/^robust-sync \d/);
	expect(run("npx", ["-y", "-p", packageName, "--", "monitor", "--version"], { cwd: empty })).toMatch(/^monitor \d/);
	expect(readdirSync(empty)).toEqual([]);
});

test("npm package: a dependency of a project → the five commands in its .bin", () => {
	const project = path.join(directory, "project");
	mkdirSync(project);
	writeFileSync(path.join(project, "package.json"), '{ "name": "project", "version": "1.0.0" }\n');
	run("npm", ["install", packageName], { cwd: project });
	for (const name of executables)
		expect(run(path.join(project, "node_modules/.bin", name), ["--version"])).toMatch(new RegExp(`^${name} \\d`));
});
