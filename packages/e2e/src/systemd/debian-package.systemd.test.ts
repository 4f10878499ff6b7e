import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { attempt, must, until } from "./command.ts";
import { Machine } from "./machine.ts";
import { Network } from "./network.ts";
import { mayBootMachines, rootFileSystem } from "./root-file-system.ts";

const clone = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../..");
const builder = path.join(clone, "bin/build/package-deb.mjs");
const services = ["robust-sync", "robust-sync-heartbeat", "robust-sync-health-server", "robust-sync-monitor"];
/** Two workspaces of two users on one host, with one hub, which is on that host as well. */
const workspaces = { ann: "/home/ann/my workspace", bob: "/home/bob/ws" } as const;
type User = keyof typeof workspaces;
const users = Object.keys(workspaces) as User[];

(mayBootMachines ? describe : describe.skip)("the Debian package on a host with systemd", () => {
	let directory: string;
	let network: Network;
	let host: Machine;

	/** Builds the package as version `version` into the host's /root. */
	async function buildPackage(version: string): Promise<string> {
		const script = `import(${JSON.stringify(builder)}).then(({ packageDeb }) => console.log(packageDeb(process.argv[1], process.argv[2])))`;
		const out = path.join(directory, "packages");
		const file = (await must([process.execPath, "-e", script, out, version])).trim();
		cpSync(file, path.join(host.root, "root", path.basename(file)));
		return file;
	}

	const as = (user: User, script: string) => host.run(`runuser -u ${user} -- env -C '${workspaces[user]}' HOME=/home/${user} ${script}`);
	const instance = async (user: User) => host.run(`systemd-escape -p '${workspaces[user]}'`);
	const isActive = (unit: string) => host.is(`systemctl is-active -q '${unit}'`);

	async function crossed(from: User, to: User, name: string): Promise<void> {
		await as(from, `sh -c 'echo ${name} > ${name}'`);
		try {
			await until(`${name} at ${to}`, () => host.is(`grep -qs ${name} '${workspaces[to]}/${name}'`));
		} catch (error) {
			const journal = await host.run("journalctl --no-pager -n 60 -u 'robust-sync@*'; cat /etc/systemd/system/robust-sync@*/*.conf");
			throw new Error(`${(error as Error).message}\n${journal}`);
		}
	}

	async function allActive(): Promise<boolean> {
		for (const user of users) for (const service of services) if (!(await isActive(`${service}@${await instance(user)}`))) return false;
		return true;
	}

	beforeAll(async () => {
		const base = await rootFileSystem();
		const id = `robust-sync-lab-${process.pid}`;
		directory = mkdtempSync(path.join(tmpdir(), `${id}-`));
		network = await Network.make(id, directory);
		host = await Machine.make({ name: "host", network, rootFileSystem: base, directory: path.join(directory, "host") });
		// The machine has this Node without a package: only its files, for the dependency.
		const node = path.join(directory, "nodejs");
		mkdirSync(path.join(node, "DEBIAN"), { recursive: true });
		writeFileSync(
			path.join(node, "DEBIAN/control"),
			`Package: nodejs\nVersion: ${process.versions.node}\nArchitecture: all\nMaintainer: a test <test@example.org>\nDescription: of this machine\n`,
		);
		await must(["dpkg-deb", "--root-owner-group", "--build", node, path.join(host.root, "root/nodejs.deb")]);
		await buildPackage("0.1.0");
		await buildPackage("0.1.1");
		await host.boot();
		await host.run("groupadd hub && mkdir -m 2775 /srv/hub.git && chgrp hub /srv/hub.git");
		await host.run("git init -q --bare --shared=group -b main /srv/hub.git && git config --system --add safe.directory '*'");
		for (const user of users) {
			await host.run(`useradd -m -G hub ${user}`);
			await host.run(`runuser -u ${user} -- git clone -q /srv/hub.git '${workspaces[user]}'`);
		}
	});
	afterAll(async () => {
		await host?.remove();
		await network?.remove();
		if (directory) rmSync(directory, { recursive: true, force: true });
	});

	test("debian package: lintian, where it is installed → no error, no warning", async () => {
		if ((await attempt(["sh", "-c", "command -v lintian"])).code !== 0) return;
		const { stdout } = await attempt(["lintian", path.join(directory, "packages/robust-sync_0.1.0_all.deb")]);
		expect(stdout).toBe("");
	});

	test("debian package: installed → commands and manual pages, nothing runs", async () => {
		await host.run("dpkg -i /root/nodejs.deb /root/robust-sync_0.1.0_all.deb");
		expect(await host.run("robust-sync --version && health-server --version")).toMatch(/^robust-sync 0\.\d.*\nhealth-server 0\./);
		expect(await host.run("robust-sync-workspace list; systemctl list-units --plain --no-legend 'robust-sync*'")).toBe("");
	});

	test("debian package: a directory that is no workspace → refused with the command", async () => {
		const { code, stderr } = await host.attempt("git init -q /srv/other && robust-sync-workspace add /srv/other");
		expect(code).toBe(2);
		expect(stderr).toContain("robust-sync --init");
		expect(await host.run("ls /etc/systemd/system | grep robust-sync || true")).toBe("");
	});

	test("debian package: two workspaces of two users → all services run as them, and sync", async () => {
		for (const [index, user] of users.entries()) {
			await as(user, `robust-sync --init --yes --node ${user}`);
			await host.run(
				`printf 'SYNC_INTERVAL=1\\nHEARTBEAT_PORT=${8765 + index}\\nHEALTH_PORT=${8080 + index}\\n' >> '${workspaces[user]}/.sync_env'`,
			);
			expect(await host.run(`robust-sync-workspace add '${workspaces[user]}'`)).toContain(`as ${user}`);
		}
		await until("all services", allActive);
		for (const user of users) {
			const pid = await host.run(`systemctl show -p MainPID --value 'robust-sync@${await instance(user)}'`);
			expect(await host.run(`stat -c %U /proc/${pid}`)).toBe(user);
		}
		await crossed("ann", "bob", "first.md");
		await crossed("bob", "ann", "second.md");
		expect(await host.run("curl -s localhost:8080/livez >/dev/null && curl -s localhost:8081/livez >/dev/null && echo up")).toBe("up");
		expect(await host.run("robust-sync-workspace list")).toBe(users.map((user) => `${workspaces[user]}\t${user}\tactive`).join("\n"));
	});

	test("debian package: upgraded → services run the new one, changed conffile stays", async () => {
		await host.run("echo '# a remark' >> /etc/default/robust-sync");
		const pid = async () => host.run(`systemctl show -p MainPID --value 'robust-sync@${await instance("ann")}'`);
		const before = await pid();
		await host.run("dpkg -i /root/robust-sync_0.1.1_all.deb");
		expect(await host.run("dpkg -s robust-sync | grep ^Version && tail -n1 /etc/default/robust-sync")).toBe("Version: 0.1.1\n# a remark");
		await until("all services", allActive);
		expect(await pid()).not.toBe(before);
		await crossed("bob", "ann", "third.md");
	});

	test("debian package: a workspace removed → only its services end, its files stay", async () => {
		expect(await host.run(`robust-sync-workspace remove '${workspaces.bob}'`)).toContain("stays as it is");
		for (const service of services) {
			expect(await isActive(`${service}@${await instance("bob")}`)).toBe(false);
			expect(await isActive(`${service}@${await instance("ann")}`)).toBe(true);
		}
		expect(await host.is(`test -e '${workspaces.bob}/third.md'`)).toBe(true);
		expect((await host.attempt(`robust-sync-workspace remove '${workspaces.bob}'`)).code).toBe(2);
	});

	test("debian package: removed, then purged → nothing runs or is left but workspaces", async () => {
		await host.run("dpkg -r robust-sync");
		expect(await host.run("systemctl list-units --plain --no-legend --state=active 'robust-sync*'")).toBe("");
		expect(await host.is("command -v robust-sync")).toBe(false);
		expect(await host.is("test -e /etc/default/robust-sync")).toBe(true);
		await host.run("dpkg -P robust-sync");
		expect(await host.run("find /etc /usr /lib/systemd /opt -name '*robust-sync*' | grep -v __pycache__ || true")).toBe("");
		expect(await host.run(`cat '${workspaces.ann}/first.md' '${workspaces.ann}/second.md'`)).toBe("first.md\nsecond.md");
	});
});
