// A Debian package of the clone: `npm run package:deb [-- --out DIR] [--version X.Y.Z]`. Prints the path of the file. Needs dpkg-deb.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { readArguments } from "./arguments.mjs";
import { root } from "./bootstrap.mjs";
import { build, executables } from "./build.mjs";

const name = "robust-sync";
const services = { sync: name, heartbeat: `${name}-heartbeat`, "health-server": `${name}-health-server`, monitor: `${name}-monitor` };
const maintainer = () =>
	`${process.env.DEBFULLNAME ?? "the robust-sync authors"} <${process.env.DEBEMAIL ?? "robust-sync@packages.debian.org"}>`;

/** Placeholders of a unit for one node, as the specifiers of a template unit (systemd.unit(5)): %f is the workspace. */
const specifiers = {
	STATE_PATHS: "%f/sync %f/logs",
	WORKSPACE_WORD: "%f",
	WORKSPACE_PATH: "%f",
	WORKSPACE: "%f",
	OUTSIDE_PATHS: "",
	OPENCLAW_PATHS: "",
	PROTECT_HOME: "read-only",
	NODEJS: "/usr/bin/node",
	PROGRAMS: `/usr/lib/${name}/bin`,
	PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	MEMORY_MAX: "1000M",
	MEMORY_MAX_SYNC: "2024M",
};

/** Lines that a template unit must not have: its user is in a drop-in; systemd 252 does not know the steps of a restart. */
const leftOut = /^(User|Group|RestartSteps|RestartMaxDelaySec)=|@HOME_BINDS@/;

/** @returns a unit of deploy/ as a template unit of the package */
export function templateUnit(text) {
	let unit = text
		.split("\n")
		.filter((line) => !leftOut.test(line))
		.join("\n")
		.replace(/^# (.*) of one node\. setup\.sh puts.*$/m, "# $1 of one workspace, which the instance is named after (systemd-escape -p).")
		.replaceAll("of @NODE@: ", "of %f: ")
		.replaceAll("keeps @WORKSPACE@ the same", "keeps it the same")
		.replaceAll("all services for @WORKSPACE@", "all services")
		.replaceAll("@NODE@-robust-sync.target", `${name}@%i.target`);
	for (const [service, unitName] of Object.entries(services))
		unit = unit
			.replaceAll(`SyslogIdentifier=@NODE@-${service}\n`, `SyslogIdentifier=${unitName}\n`)
			.replaceAll(`@NODE@-${service}.service`, `${unitName}@%i.service`)
			.replace(new RegExp(`@NODE@-${service}(?![a-z-])`, "g"), `${unitName}@%i`);
	for (const [key, value] of Object.entries(specifiers)) unit = unit.replaceAll(`@${key}@`, value);
	// Its target starts it.
	unit = unit.replace(`WantedBy=multi-user.target ${name}@%i.target`, "WantedBy=multi-user.target");
	unit = unit.replace(/^ExecStart=/m, `EnvironmentFile=-/etc/default/${name}\nExecStart=`);
	const left = /@[A-Z_]+@/.exec(unit);
	if (left) throw new Error(`a template unit knows nothing to put in for ${left[0]}`);
	return unit;
}

/** Writes the files of the package below `to`. */
function layOut(to, version, epoch) {
	const place = (file, content, mode = 0o644) => {
		mkdirSync(path.join(to, path.dirname(file)), { recursive: true });
		writeFileSync(path.join(to, file), content);
		chmodSync(path.join(to, file), mode);
	};
	const source = (file) => readFileSync(path.join(root, file));
	const zipped = (content) => gzipSync(content, { level: 9 });

	const home = `usr/lib/${name}`;
	for (const program of executables) {
		place(`${home}/bin/${program}`, source(`bin/${program}`), 0o755);
		mkdirSync(path.join(to, "usr/bin"), { recursive: true });
		symlinkSync(`../lib/${name}/bin/${program}`, path.join(to, "usr/bin", program));
		place(`usr/share/man/man1/${program}.1.gz`, zipped(source(`dist/share/man/${program}.1`)));
		place(`usr/share/bash-completion/completions/${program}`, source(`dist/share/bash/${program}`));
		place(`usr/share/zsh/vendor-completions/_${program}`, source(`dist/share/zsh/_${program}`));
		place(`usr/share/fish/vendor_completions.d/${program}.fish`, source(`dist/share/fish/${program}.fish`));
	}
	place(`${home}/bin/package.json`, source("bin/package.json"));
	place(`${home}/package.json`, `${JSON.stringify({ name, version, type: "module" })}\n`);
	for (const file of readdirSync(path.join(root, "dist")).filter((file) => file.endsWith(".mjs")))
		place(`${home}/dist/${file}`, source(`dist/${file}`));
	for (const file of readdirSync(path.join(root, "dist/parts"))) place(`${home}/dist/parts/${file}`, source(`dist/parts/${file}`));

	for (const [service, unit] of Object.entries(services))
		place(`lib/systemd/system/${unit}@.service`, templateUnit(source(`deploy/${service}.service`).toString()));
	place(`lib/systemd/system/${name}@.target`, templateUnit(source("deploy/robust-sync.target").toString()));
	place(`usr/sbin/${name}-workspace`, source(`deploy/debian/${name}-workspace`), 0o755);
	place(`usr/share/man/man8/${name}-workspace.8.gz`, zipped(source(`deploy/debian/${name}-workspace.8`)));
	place(`etc/default/${name}`, source("deploy/debian/default"));

	const doc = `usr/share/doc/${name}`;
	const when = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
	place(`${doc}/copyright`, copyright());
	place(`${doc}/README.Debian`, source("deploy/debian/README.Debian"));
	place(`${doc}/sbom.cdx.json.gz`, zipped(source("dist/sbom.cdx.json")));
	place(
		`${doc}/changelog.gz`,
		zipped(`${name} (${version}) stable; urgency=medium\n\n  * See CHANGELOG.md of this version.\n\n -- ${maintainer()}  ${when}\n`),
	);
	place(`usr/share/lintian/overrides/${name}`, source("deploy/debian/lintian-overrides"));
	for (const script of ["postinst", "prerm", "postrm"]) place(`DEBIAN/${script}`, source(`deploy/debian/${script}`), 0o755);
	place("DEBIAN/conffiles", `/etc/default/${name}\n`);
	place(
		"DEBIAN/control",
		[
			`Package: ${name}`,
			`Version: ${version}`,
			"Architecture: all",
			`Maintainer: ${maintainer()}`,
			"Depends: git (>= 1:2.38), nodejs (>= 20.11)",
			"Recommends: openssh-client",
			"Suggests: git-lfs, apprise",
			"Section: utils",
			"Priority: optional",
			`Installed-Size: ${installedKib(to)}`,
			"Description: keep a git working directory the same on several machines",
			" Everything that programs or people write in the directory is committed, merged",
			" by what the file is (JSON, notes, logs, ...) and on the other machines within a",
			" second, unattended; what a merge leaves out is kept. Made for agents that share",
			" a workspace: messages, history, restore and undo, alerts.",
			"",
		].join("\n"),
	);
	sums(to);
}

function copyright() {
	const [, ...licence] = readFileSync(path.join(root, "LICENSE"), "utf8").trim().split("\n");
	const text = licence.slice(licence.findIndex((line) => line.startsWith("Permission"))).map((line) => ` ${line || "."}`);
	return [
		"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
		"Upstream-Name: robust-sync",
		"Comment: the licences of what is bundled are in sbom.cdx.json.gz.",
		"",
		"Files: *",
		"Copyright: 2026 the robust-sync authors",
		"License: Expat",
		...text,
		"",
	].join("\n");
}

const filesBelow = (directory) =>
	readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => path.relative(directory, path.join(entry.parentPath ?? entry.path, entry.name)))
		.filter((file) => !file.startsWith("DEBIAN/"))
		.sort();

const installedKib = (to) => filesBelow(to).reduce((sum, file) => sum + Math.ceil(readFileSync(path.join(to, file)).length / 1024), 0);

function sums(to) {
	const lines = execFileSync("md5sum", ["--", ...filesBelow(to)], { cwd: to, encoding: "utf8" });
	writeFileSync(path.join(to, "DEBIAN/md5sums"), lines);
}

/**
 * Builds the package from dist/.
 * @param out the directory for the package
 * @param version instead of the one in package.json
 * @returns its path
 */
export function packageDeb(out, version = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")).version) {
	// One date for all files: two packages of one commit are the same.
	const committed = () => execFileSync("git", ["-C", root, "log", "-1", "--format=%ct"], { encoding: "utf8" }).trim();
	const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? committed());
	const staging = mkdtempSync(path.join(os.tmpdir(), "robust-sync-deb-"));
	try {
		const to = path.join(staging, "root");
		mkdirSync(to, { mode: 0o755 });
		layOut(to, version, epoch);
		execFileSync("chmod", ["-R", "go=rX,u+rwX", "--", to]);
		mkdirSync(out, { recursive: true });
		const file = path.join(out, `${name}_${version}_all.deb`);
		execFileSync("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", to, file], {
			env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
			stdio: ["ignore", "ignore", "inherit"],
		});
		return file;
	} finally {
		rmSync(staging, { recursive: true, force: true });
	}
}

const usage = `usage: npm run package:deb -- [--out DIR] [--version X.Y.Z]
  --out      directory of the package (default dist/)
  --version  its version (default: that of package.json)
`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const options = { out: { type: "string", default: path.join(root, "dist") }, version: { type: "string" } };
	const found = readArguments({ usage, options });
	if (found !== null) {
		await build({ keepMs: 0 });
		process.stdout.write(`${packageDeb(path.resolve(found.values.out), found.values.version)}\n`);
	}
}
