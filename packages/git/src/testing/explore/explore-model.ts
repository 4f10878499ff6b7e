import { fileError } from "@robust-sync/system/testing/model-files";
import type { CheckoutReport } from "../../worktree/checkout-options.ts";
import { Killed, ModelCheckout, type Records, root, type Version } from "./model-checkout.ts";
import { acts, directory, marksIn, name, Programs, perform } from "./programs.ts";

/** The incoming change of the path. */
export const incomings = ["change", "delete", "create", "inherit", "mode", "script", "link", "parent", "directory"] as const;
export type Incoming = (typeof incomings)[number];

/** Errors of the file system that a call may meet: it is full, broken, read-only, or refuses. */
export const faults = ["ENOSPC", "EIO", "EROFS", "EACCES"] as const;

/**
 * An act of a program, `kill`, `cut-N` or a fault, before a call of the checkout: the calls of all its lives are counted through. `end` is after it.
 * `cut-N` is a power cut that leaves the Nth possibility (ModelDisk); programs have made durable what they wrote before. A fault with `-on` stays until the checkout ends: each call that may meet it does.
 */
export interface Event {
	readonly at: number | "end";
	readonly act: string;
}

/** One exploration: `change 17=append 40=kill`; with `link` before it, files cannot be exchanged. */
export interface Trace {
	readonly way: "exchange" | "link";
	readonly incoming: Incoming;
	readonly events: readonly Event[];
}

/** The fault of an event; null: it is an act, or a kill. */
function faultOf(act: string): { readonly code: string; readonly stays: boolean } | null {
	const [code = "", on] = act.split("-");
	return (faults as readonly string[]).includes(code) ? { code, stays: on === "on" } : null;
}

/** The possibility that a power cut leaves; null: it is another event. */
const cutOf = (act: string): number | null => (act.startsWith("cut-") ? Number(act.slice(4)) : null);

export interface Outcome {
	readonly trace: Trace;
	/** One line each. */
	readonly problems: readonly string[];
	/** The calls of the checkout, in their order. */
	readonly calls: readonly string[];
	/** The acts that were possible. */
	readonly done: number;
}

const file = (text: string, mode: Version["mode"] = "100644"): Version => ({ mode, content: Buffer.from(text) });
const base = file("# Notes\n\n- the first line of all\n");
const incoming = file("# Notes\n\n- the first line of all\n- incoming\n");

/** A version of a commit. */
const isOfCommits = (content: Buffer) => content.equals(base.content) || content.equals(incoming.content);

interface Change {
	readonly path: string;
	readonly before: Version | null;
	readonly after: Version | null;
}

const below = `${name}/inside`;
const changesOf: Readonly<Record<Incoming, readonly Change[]>> = {
	change: [{ path: name, before: base, after: incoming }],
	delete: [{ path: name, before: base, after: null }],
	create: [{ path: name, before: null, after: incoming }],
	// In a directory that hands its group down.
	inherit: [{ path: name, before: null, after: incoming }],
	mode: [{ path: name, before: base, after: { ...base, mode: "100755" } }],
	script: [{ path: name, before: { ...base, mode: "100755" }, after: { ...incoming, mode: "100755" } }],
	link: [{ path: name, before: base, after: file("a target", "120000") }],
	parent: [
		{ path: directory, before: null, after: incoming },
		{ path: name, before: base, after: null },
	],
	directory: [
		{ path: name, before: base, after: null },
		{ path: below, before: null, after: incoming },
	],
};

/** In the syntax of `parseTrace`. */
export const traceText = ({ way, incoming: change, events }: Trace): string =>
	[...(way === "link" ? ["link"] : []), change, ...events.map(({ at, act }) => `${at}=${act}`)].join(" ");

/** @throws Error */
export function parseTrace(text: string): Trace {
	const match = /^(link )?(\w+)((?: (?:\d+|end)=[\w-]+)*)$/.exec(text);
	const change = incomings.find((one) => one === match?.[2]);
	if (match === null || change === undefined)
		throw new Error(`invalid trace "${text}": expected [link] ${incomings.join("|")} <call>=<act>…`);
	const events = (match[3] ?? "")
		.split(" ")
		.filter((event) => event !== "")
		.map((event) => {
			const [at, act] = event.split("=") as [string, string];
			return { at: at === "end" ? at : Number(at), act } as const;
		});
	return { way: match[1] === undefined ? "exchange" : "link", incoming: change, events };
}

/** A checkout of one path has changed fewer names than half of this, whenever the power fails. */
const mostPossibilities = 40;

/** More kills than that are a loop. */
const mostLives = 4;

/** Runs one trace on the model. @param records of the kept files; by default what the checkout reports counts */
export async function explore(trace: Trace, records: Records | null = null): Promise<Outcome> {
	const checkout = new ModelCheckout(trace.way === "exchange");
	const { files } = checkout;
	const changes = changesOf[trace.incoming];
	for (const { path, before } of changes) if (before) checkout.put(path, before);
	if (trace.incoming === "inherit") {
		files.makeTree(`${root}/${directory}`);
		files.chmod(`${root}/${directory}`, 0o2755);
	}
	const programs = new Programs(files, changes.find(({ path }) => path === name)?.before?.content ?? null);
	checkout.pass();
	files.syncAll();
	const hasCut = trace.events.some(({ act }) => cutOf(act) !== null);
	const calls: string[] = [];
	let done = 0;
	let staying: string | null = null;
	const performAll = (at: Event["at"]) => {
		files.asProgram(() => {
			for (const goOn of programs.next.splice(0)) goOn();
		});
		if (hasCut) files.syncPrograms([root, `${root}/${directory}`]);
		for (const event of trace.events) {
			if (event.at !== at) continue;
			if (event.act === "kill") {
				done++;
				throw new Killed();
			}
			const fault = faultOf(event.act);
			if (fault !== null) {
				done++;
				if (fault.stays) staying = fault.code;
				throw fileError(fault.code, calls.at(-1) ?? "");
			}
			const cut = cutOf(event.act);
			if (cut !== null) {
				if (!files.cutPower(cut)) continue;
				done++;
				programs.end();
				if (at === "end") continue;
				throw new Killed();
			}
			if (files.asProgram(() => perform(programs, event.act))) done++;
			if (hasCut) files.syncPrograms([root, `${root}/${directory}`]);
		}
	};
	const entries = changes.map(({ path, before, after }) => ({ path, before: checkout.entryOf(before), after: checkout.entryOf(after) }));
	const codes = trace.events.flatMap(({ act }) => faultOf(act)?.code ?? []);
	const reports: CheckoutReport[] = [];
	const problems: string[] = [];
	let left = entries;
	for (let life = 0, resume = false; left.length > 0; life++) {
		if (life === mostLives) return { trace, problems: [...problems, "it does not end"], calls, done };
		staying = null;
		try {
			const before = (call: string, paths: readonly string[]) => {
				calls.push([call, ...paths.map((path) => path.replace(/^\/proc\/model\/fd\/\d+/, "…"))].join(" "));
				performAll(calls.length - 1);
				if (staying !== null && mayMeet(staying, calls.at(-1) as string)) throw fileError(staying, call);
			};
			const report = await checkout.run(left, resume, reports.length, before, records);
			reports.push(report);
			// Held paths are tried again as soon as the fault is gone.
			left = codes.length > 0 && reports.length === 1 ? entries.filter(({ path }) => report.held.some((held) => held.path === path)) : [];
			resume = false;
		} catch (error) {
			resume = true;
			if (error instanceof Killed || codes.includes((error as NodeJS.ErrnoException).code ?? "")) continue;
			return { trace, problems: [`the checkout failed: ${(error as Error).stack}`], calls, done };
		}
	}
	const report = allOf(reports);
	// A swap in a directory that a program moves at that moment is not made durable: its name leads elsewhere.
	const isMoved = trace.events.some(({ act }) => act === "directory-away");
	const mayBeEmpty = trace.events.some(({ act }) => act === "truncate-next");
	problems.push(...unmarked(checkout, report));
	performAll("end");
	for (const goOn of [...programs.next.splice(0), ...programs.later.splice(0)]) goOn();
	const how = { isFaulty: trace.events.some(({ act }) => faultOf(act)?.stays === true), isCut: hasCut };
	const kept = keptOf(checkout, reports, records);
	if (kept === null) return { trace, problems: [...problems, "a kept file has no record"], calls, done };
	problems.push(
		...lost(checkout, programs, kept, { mayBeEmpty, isCut: hasCut, isMoved }),
		...misplaced(checkout, programs, changes, report, how),
	);
	return { trace, problems, calls, done };
}

/** A kept file, as the next process knows it. */
interface KeptNow {
	readonly file: string;
	readonly size: number;
	readonly mtimeMs: number;
}

/** The kept files of all checkouts, by their paths. Null: the records lack one. */
function keptOf(checkout: ModelCheckout, reports: readonly CheckoutReport[], records: Records | null): KeptNow[] | null {
	const found: KeptNow[] = [];
	for (const [number, { kept }] of reports.entries()) {
		const recorded = records === null ? kept : (records.read(checkout.files, String(number)) ?? []);
		const known = new Set(recorded.map(({ file }) => file));
		if (!kept.every(({ file }) => known.has(file))) return null;
		for (const { file, size, mtimeMs } of recorded) found.push({ file: checkout.keptFile(file, number), size, mtimeMs });
	}
	return found;
}

/** What holds in the end of several checkouts. */
function allOf(reports: readonly CheckoutReport[]): CheckoutReport {
	const last = reports.at(-1) as CheckoutReport;
	return { ...last, rescued: reports.flatMap(({ rescued }) => rescued), placed: reports.flatMap(({ placed }) => placed) };
}

/** The files and links of the working tree, by their paths. */
function treeOf({ files }: ModelCheckout, above = root): Map<string, Buffer> {
	const found = new Map<string, Buffer>();
	for (const entry of files.readdir(above)) {
		const path = `${above}/${entry.toString("latin1")}`;
		if (path === `${root}/sync`) continue;
		const stats = files.lstat(path);
		if (stats.isDirectory()) for (const [inside, content] of treeOf({ files } as ModelCheckout, path)) found.set(inside, content);
		else found.set(path, stats.isFile() ? files.readUnseen(path) : files.readlink(path));
	}
	return found;
}

/** Files that the index would record as the checkout's own, and that a program has written. */
function unmarked(checkout: ModelCheckout, { placed }: CheckoutReport): string[] {
	return placed
		.filter(({ path, isIntact, stats }) => {
			// With a write since then, the file differs from its record.
			const live = isIntact ? checkout.files.lstatIfThere(`${root}/${path}`) : null;
			return live !== null && BigInt(live.ino) === stats.ino && BigInt(live.mtimeMs) === stats.mtimeMs && live.isFile();
		})
		.filter(({ path, oid }) => checkout.files.readFile(`${root}/${path}`).compare(checkout.blob(oid) as Buffer) !== 0)
		.map(({ path }) => `${path} counts as placed, and a program has written it`);
}

/** Marks that are neither in the tree nor in a kept file that the next cycle looks at. */
function lost(
	checkout: ModelCheckout,
	programs: Programs,
	kept: readonly KeptNow[],
	{ mayBeEmpty, isCut, isMoved }: { readonly mayBeEmpty: boolean; readonly isCut: boolean; readonly isMoved: boolean },
): string[] {
	const { files } = checkout;
	const problems: string[] = [];
	const found = new Set([...treeOf(checkout).values()].flatMap(marksIn));
	for (const { file: path, size, mtimeMs } of kept) {
		const stats = files.lstatIfThere(path);
		// As findLateWrites: a file in its recorded state is not looked at.
		if (stats === null || (stats.size === size && stats.mtimeMs === mtimeMs)) continue;
		if (stats.isDirectory()) continue;
		const content = stats.isFile() ? files.readUnseen(path) : files.readlink(path);
		const marks = marksIn(content);
		for (const mark of marks) found.add(mark);
		// The acts of programs leave no empty file, except between two halves.
		const isTorn = isCut && !isMoved && marks.length === 0 && !isOfCommits(content);
		if (content.length === 0 ? !mayBeEmpty : isTorn) problems.push(`${path} counts as a write, and no program made it`);
	}
	return [
		...problems,
		...[...programs.needs].filter(([mark, need]) => need === "found" && !found.has(mark)).map(([mark]) => `${mark} is lost`),
	];
}

/** Paths that have neither the incoming version nor anything of a program, and are not held; and what is left behind. */
function misplaced(
	{ files }: ModelCheckout,
	programs: Programs,
	changes: readonly Change[],
	report: CheckoutReport,
	{ isFaulty, isCut }: { readonly isFaulty: boolean; readonly isCut: boolean },
): string[] {
	const problems: string[] = [];
	const spared = new Set<string>([...report.rescued, ...report.held.map(({ path }) => path)]);
	for (const { path, after } of changes) {
		if (programs.isReset || spared.has(path)) continue;
		const stats = files.lstatIfThere(`${root}/${path}`);
		const content = stats?.isFile()
			? files.readUnseen(`${root}/${path}`)
			: stats?.isSymbolicLink()
				? files.readlink(`${root}/${path}`)
				: null;
		const isThere = after === null ? content === null : content?.subarray(0, after.content.length).equals(after.content) === true;
		if (!isThere && marksIn(content ?? Buffer.alloc(0)).length === 0) problems.push(`${path} is not the incoming version`);
		if (isThere && after?.mode === "100755" && ((stats?.mode ?? 0) & 0o100) === 0) problems.push(`${path} is not executable`);
	}
	const live = files.lstatIfThere(`${root}/${name}`);
	// All versions of commits are executable, and no program removed that.
	const isScript = changes.every(({ path, before, after }) => path === name && before?.mode === "100755" && after?.mode === "100755");
	if (isScript && !programs.hasNewFile && live?.isFile() && (live.mode & 0o100) === 0) problems.push("the script is not executable");
	// Of two files that are made at one path, one mode stays.
	const isMade = changes.some(({ path, before }) => path === name && before === null);
	// With a fault that stays, nothing can be set.
	if (programs.isExecutable && !isMade && !isFaulty && live?.isFile() && (live.mode & 0o100) === 0) problems.push("it is not executable");
	// After a power cut the next start removes what is staged.
	const leftover = isCut ? /robust-sync-new/ : /robust-sync-new|\/staging\/./;
	// A directory that a program moved away is not searched by the next start.
	const left = treeNames(files, root).filter((file) => leftover.test(file) && !file.startsWith(`${root}/away/`));
	problems.push(...left.map((file) => `${file} is left behind`));
	return problems;
}

function treeNames(files: ModelCheckout["files"], above: string): string[] {
	return files.readdir(above).flatMap((entry) => {
		const path = `${above}/${entry.toString("latin1")}`;
		return files.lstat(path).isDirectory() ? [path, ...treeNames(files, path)] : [path];
	});
}

/** Calls before which acts of programs make no difference: those on our own staged files. */
const isOurs = (call: string) =>
	/^(?:close|fsync|makeDurable|makeChangesDurable)\b|^\w+ \/w\/sync\/(?:staging|versions)(?:\/\S*)?$/.test(call);
/** Calls that change something: a kill before another one is as one before these. */
const isChange = (call: string) =>
	/^(?:mkdir|rmdir|unlink|rename|link|symlink|exchange|write|utimes|chmod|open \S*(?:staging|\.tmp))\b/.test(call);

/** All traces with one more event, after those that a trace has. */
export function oneMore({ trace, calls }: Outcome): Trace[] {
	const last = trace.events.at(-1)?.at ?? 0;
	if (last === "end") return [];
	const next: Event[] = [];
	for (let at = last; at < calls.length; at++) {
		const call = calls[at] as string;
		if (!isOurs(call)) next.push(...Object.keys(acts).map((act) => ({ at, act })));
		if (isChange(call) && (at > last || trace.events.length === 0)) next.push({ at, act: "kill" });
	}
	next.push(...Object.keys(acts).map((act) => ({ at: "end" as const, act })));
	return next.map((event) => ({ ...trace, events: [...trace.events, event] }));
}

/** Calls that may find no room, or a read-only file system. */
const isWrite = (call: string) =>
	isChange(call) || /^(?:open \S*(?:\.robust-sync-new|backups)|copy|chmod|lchown|fsync|makeDurable|makeChangesDurable)\b/.test(call);
/** A descriptor is closed in any case, and of its name no file system knows. */
const mayFail = (call: string) => !/^close\b/.test(call);

function mayMeet(code: string, call: string): boolean {
	return code === "ENOSPC" || code === "EROFS" ? isWrite(call) : mayFail(call);
}

const order = ({ at }: Event) => (at === "end" ? Number.POSITIVE_INFINITY : at);

/** All traces with a fault at one call, once or until the checkout ends; those of calls that may meet it. */
export function withFault({ trace, calls }: Outcome): Trace[] {
	return [...calls.entries()].flatMap(([at, call]) =>
		faults
			.filter((code) => mayMeet(code, call))
			.flatMap((code) => [code, `${code}-on`])
			.map((act) => ({ ...trace, events: [...trace.events, { at, act }].sort((a, b) => order(a) - order(b)) })),
	);
}

/** Calls after which another state is on disk. */
const changesDisk = (call: string) => isWrite(call) || /^(?:fsync|makeDurable|makeChangesDurable|lchown)\b/.test(call);

/** All traces with a power cut at one call, or after the checkout; each possibility of it that there may be. */
export function withCut({ trace, calls }: Outcome): Trace[] {
	const at: Event["at"][] = [...calls.entries()].flatMap(([index, call]) => (changesDisk(call) ? [index] : []));
	return [...at, "end" as const].flatMap((step) =>
		Array.from({ length: mostPossibilities }, (_, number) => ({
			...trace,
			events: [...trace.events, { at: step, act: `cut-${number}` }].sort((a, b) => order(a) - order(b)),
		})),
	);
}
