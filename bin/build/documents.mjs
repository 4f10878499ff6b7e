// Manual pages and shell completions from the executables' own definitions: dist/share/{man,bash,zsh,fish}/.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The exit codes of docs/contract.md, section 3; a test compares the two. */
export const exitCodes = [
	[0, "done, or healthy"],
	[1, "it failed, or the checked state is unhealthy; the message has the remedy"],
	[2, "wrong usage or configuration"],
	[3, "not running (--status)"],
	[4, "another instance holds the lock; its pid is named"],
	[75, "exits to be restarted (memory limit, lock lost)"],
];

/** The variables of docs/contract.md, section 2, that an executable uses; a test compares with the contract. */
const common = /^(NODE_NAME|MEMORY_LIMIT_MB|LOG_)/;
const ofPeers = /^(PEERS|CHAD_HOST|HELIOS_HOST|PEER_TIMEOUT)$/;
export const variablesOf = {
	"robust-sync": [common, /^(SYNC_|MAX_FILE_MB|GUARD|GIT_TIMEOUT)/, ofPeers],
	heartbeat: [common, /^HEARTBEAT_/, ofPeers],
	"health-server": [common, /^HEALTH_/, ofPeers],
	monitor: [common, /^(MONITOR_|MAX_SYNC_FAILURES|SYNC_INTERVAL|ALERT_|CALEB_|TELEGRAM_)/, ofPeers],
	"conflict-resolver": [/^(NODE_NAME|LOG_|SYNC_REMOTE|SYNC_BRANCH|GUARD|GIT_TIMEOUT)/],
};

/** Examples, each with its purpose. */
export const examples = {
	"robust-sync": [
		["robust-sync --once --dry-run", "what the next cycle would commit, fetch and leave out"],
		["robust-sync --status", "the current state; exit status 3 when it does not run"],
		["echo 'deploy is done' | robust-sync --send -", "a message for the other nodes; it arrives in messages/<this node>/"],
		["robust-sync --doctor", "everything that can be wrong, and what fixes it"],
		["robust-sync --wait --peers", "after writing: returns when all peers have it"],
		["robust-sync --pause 2h", "no cycles for two hours; robust-sync --resume ends it"],
		["robust-sync --history notes.md --diff", "who changed a file, and how; newest first"],
		["robust-sync --restore notes.md docs --at 2h", "a file and a directory as they were two hours ago, as a new change"],
		["robust-sync --undo --by helios --since 4h --dry-run", "what taking back the last hours of a node would change"],
		["robust-sync --annotate 'tidy the notes' --agent bot --run 42", "describes the next commit of this node"],
		["robust-sync --reject", "restores, on all nodes, the files that a held commit removes; --approve publishes it"],
		["robust-sync --stop", "lets the cycle in progress end; under systemd: systemctl stop <node>-sync"],
	],
	heartbeat: [
		["heartbeat --once", "one heartbeat to each peer, and whether each answers"],
		["heartbeat --status", "the state of each peer, and why one is silent"],
		["heartbeat --node helios --peer-host chad", "runs with one peer and no .sync_env"],
	],
	"health-server": [
		["curl localhost:8080/health", "one line of JSON; 503 when something is wrong"],
		["curl localhost:8080/metrics", "the same for Prometheus"],
		["ssh -L 8080:localhost:8080 helios", "then http://localhost:8080/ here is the page of helios"],
	],
	monitor: [
		["monitor --check", "all checks, once; exit status 1 unless each is ok"],
		["monitor --test-alert", "one message by every channel"],
		["monitor --silence 'heartbeat:*' 2h", "no alerts about peers for two hours"],
	],
	"conflict-resolver": [
		["conflict-resolver --report", "conflicts, their winners, and the commands for the other versions"],
		["conflict-resolver --restore latest notes.md --side theirs", "the other side's notes.md, as a new change"],
		["conflict-resolver --resolve --dry-run", "the plan for a merge in progress"],
	],
};

/** The rows of the contract's table of variables: [name, default, meaning]. */
function contractVariables() {
	const file = fileURLToPath(new URL("../../docs/contract.md", import.meta.url));
	if (!existsSync(file)) return [];
	const section =
		readFileSync(file, "utf8")
			.split(/^## /m)
			.find((part) => part.startsWith("2.")) ?? "";
	return Array.from(section.matchAll(/^\| ([A-Z][A-Z_, ]*) \| (.*?) \| (.*) \|$/gm), ([, names, fallback, meaning]) =>
		names.split(", ").map((name) => [name, fallback, meaning]),
	)
		.flat()
		.map((row) => row.map((text) => text.replaceAll("`", "")));
}

/** Values for an option's argument, by its name in the help. */
const kindOf = (argument) => (/dir/i.test(argument) ? "directory" : /file|saved/i.test(argument) ? "file" : "word");

/** The command line of an executable, from its bundle (packages/service/src/program-interface.ts). */
async function readInterface(bundle) {
	const { stdout } = await promisify(execFile)(process.execPath, [bundle], { env: { ...process.env, ROBUST_SYNC_PRINT_INTERFACE: "1" } });
	return stdout === "" ? null : JSON.parse(stdout);
}

// roff: a backslash, and a dot or quote that begins a line, have another meaning; letters outside of ASCII have a form that needs no encoding (groff_char(7)).
const roff = (text) =>
	text
		.replaceAll("\\", "\\e")
		.replaceAll("-", "\\-")
		.replace(/^([.'])/gm, "\\&$1")
		.replaceAll(/[^\n -~]/gu, (letter) => `\\[u${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);

/** The manual page of one executable, in man(7). */
export function manualPage({ name, description, operands, options }, others, version) {
	const flags = ({ short, long, argument }) =>
		[short, long]
			.filter(Boolean)
			.map((flag) => `\\fB${roff(flag)}\\fR`)
			.join(", ") + (argument ? ` \\fI${roff(argument.replace(/[<>]/g, ""))}\\fR` : "");
	return `${[
		`.TH ${name.toUpperCase()} 1 "" "robust-sync ${version}" "robust-sync"`,
		".SH NAME",
		`${roff(name)} \\- ${roff(description.replace(/\.$/, ""))}`,
		".SH SYNOPSIS",
		`\\fB${roff(name)}\\fR [options]${operands ? ` ${roff(operands)}` : ""}`,
		".SH DESCRIPTION",
		`${roff(description.replace(/\.?$/, "."))} It finds the directory that is synced by \\fB\\-\\-workspace\\fR, by $SYNC_WORKSPACE, as the nearest directory above that holds \\fI.sync_env\\fR, or as the top of the git working tree.`,
		".SH OPTIONS",
		...options.flatMap((option) => [".TP", flags(option), roff(option.description)]),
		".SH EXAMPLES",
		...examples[name].flatMap(([command, what]) => [`.TP\n\\fB${roff(command)}\\fR`, roff(what)]),
		".SH ENVIRONMENT",
		"Each of these can be set in the environment or in \\fI.sync_env\\fR; the environment has precedence. In brackets: the default.",
		...contractVariables()
			.filter(([variable]) => variablesOf[name].some((pattern) => pattern.test(variable)))
			.flatMap(([variable, fallback, meaning]) => [`.TP\n\\fB${variable}\\fR [${roff(fallback)}]`, roff(meaning)]),
		".SH EXIT STATUS",
		...exitCodes.flatMap(([code, meaning]) => [".TP", String(code), roff(meaning)]),
		".SH FILES",
		".TP\n\\fI.sync_env\\fR\nconfiguration, written for a shell and never executed; flags and the environment go before it",
		".TP\n\\fIlogs/\\fR, \\fIsync/\\fR\nlogs and state, never committed",
		".SH SEE ALSO",
		others.map((other) => `\\fB${roff(other)}\\fR(1)`).join(", "),
	].join("\n")}\n`;
}

export function bashCompletion({ name, options, operands }) {
	const all = options.flatMap(({ short, long }) => [short, long]).filter(Boolean);
	const of = (kind) =>
		options.filter(({ argument }) => argument && kindOf(argument) === kind).flatMap(({ short, long }) => [short, long].filter(Boolean));
	const branch = (flags, words) => (flags.length > 0 ? [`\t${flags.join("|")}) ${words}; return;;`] : []);
	const fn = `_${name.replaceAll("-", "_")}`;
	return `${[
		`# bash completion of ${name}`,
		`${fn}() {`,
		`\tlocal word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}`,
		"\tCOMPREPLY=()",
		"\tcase $before in",
		...branch(of("directory"), 'mapfile -t COMPREPLY < <(compgen -d -- "$word")'),
		...branch(of("file"), 'mapfile -t COMPREPLY < <(compgen -f -- "$word")'),
		...branch(of("word"), ":"),
		"\tesac",
		`\tif [[ $word == -* || -z $word ]]; then mapfile -t COMPREPLY < <(compgen -W '${all.join(" ")}' -- "$word")${operands ? '; else mapfile -t COMPREPLY < <(compgen -f -- "$word")' : ""}; fi`,
		"}",
		`complete -o filenames -F ${fn} ${name}`,
	].join("\n")}\n`;
}

export function zshCompletion({ name, options, operands }) {
	const quote = (text) => text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, "\\$&");
	const action = { directory: ":directory:_files -/", file: ":file:_files", word: ":value: " };
	const specs = options.map(({ short, long, argument, description }) => {
		const value = argument ? action[kindOf(argument)] : "";
		const text = `[${quote(description)}]${value}'`;
		return short && long ? `\t'(${short} ${long})'{${short},${long}}'${text}` : `\t'${long ?? short}${text}`;
	});
	return `#compdef ${name}\n_arguments -s \\\n${[...specs, ...(operands ? ["\t'*:file:_files'"] : [])].join(" \\\n")}\n`;
}

export function fishCompletion({ name, options, operands }) {
	const quote = (text) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
	const value = { directory: " -x -a '(__fish_complete_directories)'", file: " -r", word: " -x" };
	const lines = options.map(
		({ short, long, argument, description }) =>
			`complete -c ${name}${short ? ` -s ${short.slice(1)}` : ""}${long ? ` -l ${long.slice(2)}` : ""}${argument ? value[kindOf(argument)] : ""} -d ${quote(description)}`,
	);
	return `# fish completion of ${name}\n${operands ? "" : `complete -c ${name} -f\n`}${lines.join("\n")}\n`;
}

/** Writes the manual page and the completions of every executable bundled in `dist` into its directory `share`. */
export async function writeDocuments(dist, executables, version) {
	const interfaces = await Promise.all(executables.map((name) => readInterface(path.join(dist, `${name}.mjs`))));
	for (const described of interfaces.filter(Boolean)) {
		const { name } = described;
		const others = executables.filter((other) => other !== name);
		for (const [file, text] of [
			[`man/${name}.1`, manualPage(described, others, version)],
			[`bash/${name}`, bashCompletion(described)],
			[`zsh/_${name}`, zshCompletion(described)],
			[`fish/${name}.fish`, fishCompletion(described)],
		]) {
			mkdirSync(path.dirname(path.join(dist, "share", file)), { recursive: true });
			writeFileSync(path.join(dist, "share", file), text);
		}
	}
}
