import fs from "node:fs";
import path from "node:path";
import { blobOid, displayPath, fileSystemPath, type GitPath, gitPath } from "@robust-sync/git";
import {
	compactTimestamp,
	faultPoint,
	fsyncDirectory,
	listPending,
	readState,
	type SkippedFile,
	WorkspacePaths,
	writeAtomicSync,
} from "@robust-sync/workspace";
import * as z from "zod/mini";
import type { CycleContext } from "./cycle-context.ts";

const deliverySchema = z.object({
	/** Name in sync/pending/, one character a byte. */
	name: z.string(),
	/** Blob id of its content: the same name with other content is another message. */
	blob: z.string(),
	/** Where it is delivered, relative to the workspace, in the same form. Fixed once. */
	target: z.string(),
	/** Whether the delivered file is in a commit of ours: from then on it is never written again. */
	committed: z.boolean(),
});
const outboxSchema = z.object({ schema: z.literal(1), deliveries: z.array(deliverySchema) });

/** One message on its way: fixed in `sync/outbox.json` before anything is copied. */
export type Delivery = z.infer<typeof deliverySchema>;

export interface Outbox {
	readonly deliveries: readonly Delivery[];
	/** Paths in the work tree that the next snapshot must commit. */
	readonly targets: readonly GitPath[];
	readonly skipped: readonly SkippedFile[];
}

/** The longest name that file systems take. */
const maxNameBytes = 255;

/** `<time>-<name>`; a name that would be too long loses its middle, not its extension. */
function deliveredName(time: string, name: Buffer, blob: string): Buffer {
	const prefix = Buffer.from(`${time}-`);
	if (prefix.length + name.length <= maxNameBytes) return Buffer.concat([prefix, name]);
	const extension = name.subarray(Math.max(name.lastIndexOf(0x2e), name.length - 20));
	const mark = Buffer.from(`~${blob.slice(0, 8)}`);
	return Buffer.concat([prefix, name.subarray(0, maxNameBytes - prefix.length - extension.length - mark.length), mark, extension]);
}

function readDeliveries(paths: WorkspacePaths): Delivery[] {
	const read = readState(paths.outboxNames, outboxSchema);
	return read.kind === "ok" ? read.state.deliveries : [];
}

function writeDeliveries(paths: WorkspacePaths, deliveries: readonly Delivery[]): void {
	writeAtomicSync(paths.outboxNames, `${JSON.stringify({ schema: 1, deliveries })}\n`);
}

function pendingFile(paths: WorkspacePaths, name: string): Buffer {
	return fileSystemPath(paths.pending, name as GitPath);
}

/** The greatest delivery time of this node so far, so that order survives a clock that steps back. */
function latestTime(deliveries: readonly Delivery[]): string {
	let latest = "";
	for (const { target } of deliveries) {
		const time = path.posix.basename(target).slice(0, 20);
		if (time > latest) latest = time;
	}
	return latest;
}

/**
 * Brings every waiting message to its place below `messages/<node>/`: time and name are fixed on disk first, so that a retry
 * after a crash delivers each exactly once.
 */
export function collectOutbox({ paths, config, now, log }: CycleContext): Outbox {
	putBackGrabbed(paths);
	const pending = listPending(paths);
	if (pending.length === 0 && !fs.existsSync(paths.outboxNames)) return { deliveries: [], targets: [], skipped: [] };
	const before = readDeliveries(paths);
	const known = new Map(before.map((delivery) => [`${delivery.name}\0${delivery.blob}`, delivery]));
	const deliveries: Delivery[] = [];
	const contents = new Map<Delivery, Buffer>();
	const skipped: SkippedFile[] = [];
	let latest = latestTime(before);
	let clock = now();
	for (const message of pending) {
		const name = gitPath(message.name);
		if (message.size > config.maxFileMb * 1_000_000) {
			skipped.push({ path: `sync/pending/${displayPath(name)}`, reason: "too-large" });
			continue;
		}
		let content: Buffer;
		try {
			content = fs.readFileSync(pendingFile(paths, name));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "ENOENT")
				skipped.push({ path: `sync/pending/${displayPath(name)}`, reason: "unreadable" });
			continue;
		}
		const blob = blobOid(content);
		let delivery = known.get(`${name}\0${blob}`);
		if (!delivery) {
			while (compactTimestamp(clock) <= latest) clock++;
			latest = compactTimestamp(clock);
			const target = `${WorkspacePaths.messagesOf(config.nodeName)}/${gitPath(deliveredName(latest, message.name, blob))}`;
			delivery = { name, blob, target, committed: false };
		}
		deliveries.push(delivery);
		if (!delivery.committed) contents.set(delivery, content);
	}
	// Delivered and confirmed in an earlier life, or taken back by whoever wrote it before it was sent.
	if (deliveries.length > 0 || before.length > 0) {
		faultPoint("outbox-before-names");
		writeDeliveries(paths, deliveries);
		faultPoint("outbox-named");
	}
	for (const [delivery, content] of contents) placeMessage(paths, delivery, content);
	if (contents.size > 0) {
		fsyncDirectory(path.join(paths.root, WorkspacePaths.messagesOf(config.nodeName)));
		faultPoint("outbox-placed");
		log.debug(`${contents.size} messages to deliver`);
	}
	return { deliveries, targets: [...contents.keys()].map((delivery) => delivery.target as GitPath), skipped };
}

const grabbedPrefix = ".delivered-";

/** A crash in the middle of a confirmation leaves a file under a hidden name: a delivered one goes, any other gets its name back. */
function putBackGrabbed(paths: WorkspacePaths): void {
	if (!fs.existsSync(paths.outboxNames)) return;
	for (const { name, blob } of readDeliveries(paths)) {
		const grabbed = fileSystemPath(paths.pending, `${grabbedPrefix}${blob}` as GitPath);
		if (!fs.existsSync(grabbed)) continue;
		if (blobOid(fs.readFileSync(grabbed)) !== blob) fs.renameSync(grabbed, pendingFile(paths, name));
		else fs.rmSync(grabbed);
	}
}

function placeMessage(paths: WorkspacePaths, { target }: Delivery, content: Buffer): void {
	const file = fileSystemPath(paths.root, target as GitPath);
	fs.mkdirSync(path.dirname(file.toString("utf8")), { recursive: true });
	if (fs.existsSync(file)) return;
	fs.mkdirSync(paths.staging, { recursive: true });
	const staged = path.join(paths.staging, `message-${process.pid}`);
	fs.rmSync(staged, { force: true });
	fs.writeFileSync(staged, content, { flush: true });
	fs.renameSync(staged, file);
}

/** The messages are in a commit of ours: whatever becomes of the file there, it is not written again. */
export function markCommitted({ paths }: CycleContext, { deliveries, targets }: Outbox): Outbox {
	if (targets.length === 0) return { deliveries, targets, skipped: [] };
	const marked = deliveries.map((delivery) => ({ ...delivery, committed: true }));
	writeDeliveries(paths, marked);
	faultPoint("outbox-committed");
	return { deliveries: marked, targets, skipped: [] };
}

/**
 * The commit that holds the messages is on the remote: the pending files go. A file that was replaced meanwhile under the
 * same name is another message and stays.
 * @returns how many were delivered
 */
export function confirmDelivered({ paths }: CycleContext, { deliveries }: Outbox): number {
	if (deliveries.length === 0) return 0;
	let delivered = 0;
	for (const { name, blob } of deliveries) {
		const file = pendingFile(paths, name);
		// Taken by a hidden name first: what is removed is what was looked at.
		const grabbed = fileSystemPath(paths.pending, `${grabbedPrefix}${blob}` as GitPath);
		try {
			fs.renameSync(file, grabbed);
			if (blobOid(fs.readFileSync(grabbed)) === blob) {
				fs.rmSync(grabbed);
				delivered++;
			} else {
				fs.linkSync(grabbed, file);
				fs.rmSync(grabbed);
			}
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		}
		faultPoint("outbox-removed");
	}
	fs.rmSync(paths.outboxNames, { force: true });
	faultPoint("outbox-confirmed");
	return delivered;
}

/** Puts a message into the outbox whole: written under a hidden name, then renamed. @returns its name in `sync/pending/` */
export function enqueueMessage(paths: WorkspacePaths, name: string, content: Buffer): string {
	fs.mkdirSync(paths.pending, { recursive: true });
	const temporary = path.join(paths.pending, `.${process.pid}-${name}.tmp`.slice(-200));
	const file = fs.openSync(temporary, "wx", 0o644);
	try {
		fs.writeSync(file, content);
		fs.fsyncSync(file);
	} finally {
		fs.closeSync(file);
	}
	for (let attempt = 0; ; attempt++) {
		const parsed = path.parse(name);
		const free = attempt === 0 ? name : `${parsed.name}-${attempt}${parsed.ext}`;
		try {
			// link, not rename: a message that waits under the same name is not overwritten.
			fs.linkSync(temporary, path.join(paths.pending, free));
			fs.rmSync(temporary);
			fsyncDirectory(paths.pending);
			return free;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
				fs.rmSync(temporary, { force: true });
				throw error;
			}
		}
	}
}
