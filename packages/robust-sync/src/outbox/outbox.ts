import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beneath, blobOid, displayPath, type GitPath, gitPathOf, PlacesBeneath, rawPath } from "@robust-sync/git";
import { fsyncDirectory, writeAtomicSync } from "@robust-sync/system/atomic-write";
import { faultPoint } from "@robust-sync/system/fault-points";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { makeDurable } from "@robust-sync/system/make-durable";
import { compactTimestamp, parseCompactTimestamp, timestamp } from "@robust-sync/system/timestamps";
import {
	listPending,
	listUnfit,
	messageTarget,
	objectId,
	readState,
	type SkippedFile,
	singleName,
	WorkspacePaths,
} from "@robust-sync/workspace";
import * as z from "zod/mini";
import type { CycleContext } from "../context/cycle-context.ts";
import { refusedFiles } from "../remote/refused-list.ts";
import { heldMessage } from "../secrets/texts.ts";

const deliverySchema = z.object({
	/** Name in sync/pending/, one character a byte. */
	name: singleName,
	/** Blob id of its content: the same name with other content is another message. */
	blob: objectId,
	/** Time and name, below the node's directory, in the same form. Fixed once. A version without day directories delivers there. */
	target: messageTarget,
	/** The directory of its day, below that of the node; absent: it was fixed by a version without day directories. */
	day: z.optional(z.string().check(z.regex(/^\d{4}-\d\d-\d\d$/))),
	/** Whether a commit of ours has the delivered file: from then on it is never written again. */
	committed: z.boolean(),
});
export const outboxSchema = z.object({
	schema: z.literal(1),
	deliveries: z.array(deliverySchema),
	/** The latest time of a message of this node, so that order survives a clock that steps back. */
	latest: z.optional(z.string()),
});

/** One message in delivery: fixed in `sync/outbox.json` before anything is copied. */
type Delivery = z.infer<typeof deliverySchema>;

export interface Outbox {
	readonly deliveries: readonly Delivery[];
	/** Paths in the working tree that the next snapshot must commit. */
	readonly targets: readonly GitPath[];
	readonly skipped: readonly SkippedFile[];
	/** The number of messages that wait for the next cycle, above one cycle's limit. */
	readonly waiting: number;
}

/** The directory of delivery, relative to the workspace. Hosts limit the number of files in a directory, so each day has one of its own. */
function placeOf({ target, day }: Pick<Delivery, "target" | "day">): string {
	return day === undefined ? target : `${path.dirname(target)}/${day}/${path.basename(target)}`;
}

/** More messages than this are delivered by several cycles, oldest first: each needs time and memory, and delays other changes. */
const maxMessagesPerCycle = 10_000;

/** The longest name in file systems. */
const maxNameBytes = 255;

/** `<time>-<name>`; a name that would be too long loses its middle, not its extension. */
function deliveredName(time: string, name: Buffer, blob: string): Buffer {
	const prefix = Buffer.from(`${time}-`);
	if (prefix.length + name.length <= maxNameBytes) return Buffer.concat([prefix, name]);
	const extension = name.subarray(Math.max(name.lastIndexOf(0x2e), name.length - 20));
	const mark = Buffer.from(`~${blob.slice(0, 8)}`);
	return Buffer.concat([prefix, name.subarray(0, maxNameBytes - prefix.length - extension.length - mark.length), mark, extension]);
}

type Fixed = Pick<z.infer<typeof outboxSchema>, "deliveries" | "latest">;

function readFixed(paths: WorkspacePaths): Fixed {
	const read = readState(paths.outboxNames, outboxSchema);
	return read.kind === "ok" ? read.state : { deliveries: [] };
}

/** Deliveries with their recorded blobs: forgetting a value during the cycle changes both message and record. */
function asRecorded(fixed: Fixed, deliveries: readonly Delivery[]): Delivery[] {
	const blobs = new Map(fixed.deliveries.map((delivery) => [placeOf(delivery), delivery.blob]));
	return deliveries.map((delivery) => ({ ...delivery, blob: blobs.get(placeOf(delivery)) ?? delivery.blob }));
}

/**
 * Changes the recorded blobs of waiting messages whose contents will change: each remains the message whose delivery has begun.
 * @param clean the new content of a message @throws the file system's error
 */
export function changeRecordedMessages(paths: WorkspacePaths, clean: (content: Buffer) => Buffer): void {
	const fixed = readFixed(paths);
	const deliveries = fixed.deliveries.map((delivery) => {
		const content = readPending(paths, delivery.name);
		return content !== null && blobOid(content) === delivery.blob ? { ...delivery, blob: blobOid(clean(content)) } : delivery;
	});
	if (deliveries.some(({ blob }, index) => blob !== fixed.deliveries[index]?.blob)) writeFixed(paths, { ...fixed, deliveries });
}

function writeFixed(paths: WorkspacePaths, fixed: Fixed): void {
	writeAtomicSync(paths.outboxNames, `${JSON.stringify({ schema: 1, ...fixed })}\n`);
}

function pendingFile(paths: WorkspacePaths, name: string): Buffer {
	return Buffer.concat([Buffer.from(`${paths.pending}/`), Buffer.from(name, "latin1")]);
}

/**
 * Brings every waiting message to its place below `messages/<node>/<day>/`: time and name are fixed on disk first, so that a retry
 * after a crash delivers each exactly once, in the order in which they were put into the outbox.
 * @param limit messages of one cycle; those that were begun before are never postponed
 */
export async function collectOutbox(context: CycleContext, limit = maxMessagesPerCycle): Promise<Outbox> {
	const { paths, config, now, log } = context;
	const before = readFixed(paths);
	restoreGrabbed(paths, before.deliveries);
	const pending = listPending(paths);
	const unfit = unfitMessages(paths);
	if (pending.length === 0 && before.deliveries.length === 0) return { deliveries: [], targets: [], skipped: unfit, waiting: 0 };
	const known = new Map(before.deliveries.map((delivery) => [`${delivery.name}\0${delivery.blob}`, delivery]));
	const begun = new Set(before.deliveries.map((delivery) => delivery.name));
	const deliveries: Delivery[] = [];
	const skipped = [...unfit];
	let latest = before.latest ?? "";
	let clock = now();
	let waiting = 0;
	const places = new PlacesBeneath(paths.root);
	try {
		for (const message of pending) {
			const name = message.name.toString("latin1");
			if (message.size > config.maxFileMb * 1_000_000) {
				skipped.push({ path: `sync/pending/${displayPath(rawPath(name))}`, reason: "too-large" });
				continue;
			}
			if (deliveries.length >= limit && !begun.has(name)) {
				waiting++;
				continue;
			}
			let blob: string;
			let content: Buffer;
			try {
				content = fs.readFileSync(pendingFile(paths, name));
				blob = blobOid(content);
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== "ENOENT")
					skipped.push({ path: `sync/pending/${displayPath(rawPath(name))}`, reason: "unreadable" });
				continue;
			}
			const shown = `sync/pending/${displayPath(rawPath(name))}`;
			const held = await heldMessage(context, shown, blob, content);
			if (held !== null) {
				skipped.push({ ...held, reason: "secret" });
				continue;
			}
			let delivery = known.get(`${name}\0${blob}`);
			if (!delivery) {
				clock = Math.max(clock, (parseCompactTimestamp(latest) ?? 0) + 1);
				const deliveryAt = (at: number) => ({
					name,
					blob,
					target: `${WorkspacePaths.messagesOf(config.nodeName)}/${deliveredName(compactTimestamp(at), message.name, blob).toString("latin1")}`,
					day: timestamp(at).slice(0, 10),
					committed: false,
				});
				// If the list of fixed names was lost, another message may have this one.
				for (
					delivery = deliveryAt(clock);
					isThere(places, placeOf(delivery)) || isThere(places, delivery.target);
					delivery = deliveryAt(clock)
				)
					clock++;
				latest = compactTimestamp(clock);
			}
			deliveries.push(delivery);
		}
	} finally {
		places.close();
	}
	// Removed: delivered and confirmed by an earlier process, or withdrawn by its sender.
	faultPoint("outbox-before-names");
	writeFixed(paths, { deliveries, latest });
	faultPoint("outbox-named");
	const refused = refusedFiles({ paths, now });
	const open = deliveries.filter((delivery) => !delivery.committed && !refused.has(gitPathOf(placeOf(delivery))));
	const free: Delivery[] = [];
	const blockedBy = new Map<string, string | null>();
	for (const delivery of open) {
		const directory = path.dirname(placeOf(delivery));
		const known = blockedBy.get(directory);
		const blocked = known === undefined ? blockedDirectory(paths, directory) : known;
		const remedy = `'${blocked}' is no directory any more: move it away, or revert that on the remote`;
		if (known === undefined && blocked !== null && ![...blockedBy.values()].includes(blocked)) log.warn(`messages wait: ${remedy}`);
		blockedBy.set(directory, blocked);
		if (blocked === null) free.push(delivery);
		else skipped.push({ path: `sync/pending/${displayPath(rawPath(delivery.name))}`, reason: "refused-path", remedy });
	}
	const targets = await placeMessages(paths, free);
	if (targets.length > 0) log.debug(`${targets.length} messages to deliver`);
	return { deliveries, targets, skipped, waiting };
}

/** Undeliverable entries, for the report. */
function unfitMessages(paths: WorkspacePaths): SkippedFile[] {
	const remedy = "a message is a regular file: move this out of sync/pending/, or send the files in it one by one (robust-sync --send)";
	return listUnfit(paths).map((name) => ({ path: `sync/pending/${displayPath(rawPath(name))}`, reason: "special-file", remedy }));
}

/** Whether a file is at a target; a link's target does not count. */
function isThere(places: PlacesBeneath, target: string): boolean {
	try {
		return lstatIfThere(places.file(Buffer.from(target, "latin1"))) !== null;
	} catch (error) {
		if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
		throw error;
	}
}

/** A directory of messages, or one above it, replaced by another entry: nothing is written through that. */
function blockedDirectory(paths: WorkspacePaths, directory: string): string | null {
	const directories = directory.split("/");
	for (const [at] of directories.entries()) {
		const name = directories.slice(0, at + 1).join("/");
		const stats = lstatIfThere(`${paths.root}/${name}`);
		if (stats && !stats.isDirectory()) return name;
	}
	return null;
}

const grabbedPrefix = ".delivered-";

/** A crash during a confirmation leaves a file under a hidden name: a delivered one is removed, any other gets its name back. */
function restoreGrabbed(paths: WorkspacePaths, deliveries: readonly Delivery[]): void {
	for (const { name, blob } of deliveries) {
		const grabbed = pendingFile(paths, `${grabbedPrefix}${blob}`);
		if (!fs.existsSync(grabbed)) continue;
		if (blobOid(fs.readFileSync(grabbed)) !== blob) fs.renameSync(grabbed, pendingFile(paths, name));
		else fs.rmSync(grabbed);
	}
}

/** Copies messages to their targets, durably, each whole or not at all. @returns the paths of all that exist */
async function placeMessages(paths: WorkspacePaths, deliveries: readonly Delivery[]): Promise<GitPath[]> {
	if (deliveries.length === 0) return [];
	const directories = new Set(deliveries.map((delivery) => path.dirname(placeOf(delivery))));
	// Made here, component by component, so that none of them is a link.
	for (const directory of directories) beneath(paths.root, Buffer.from(`${directory}/x`), () => undefined, { makeParents: true });
	const staging = path.join(paths.staging, "messages");
	fs.mkdirSync(staging, { recursive: true, mode: 0o700 });
	const targets = new Set<GitPath>();
	const staged: { from: string; target: string }[] = [];
	const places = new PlacesBeneath(paths.root, { makeParents: true });
	try {
		for (const [index, delivery] of deliveries.entries()) {
			const { name, blob } = delivery;
			const target = placeOf(delivery);
			if (!isThere(places, target)) {
				const content = readPending(paths, name);
				// Replaced or withdrawn at this moment: the next cycle tries again.
				if (content === null || blobOid(content) !== blob) continue;
				const from = path.join(staging, String(index));
				fs.writeFileSync(from, content);
				staged.push({ from, target });
			}
			targets.add(gitPathOf(target));
		}
	} finally {
		// Opened again afterwards: the directories above the targets may have been replaced.
		places.close();
	}
	await makeDurable(
		staged.map(({ from }) => from),
		staging,
	);
	try {
		for (const { from, target } of staged) {
			try {
				moveInto(places, from, Buffer.from(target, "latin1"));
			} catch (error) {
				// A link or a file replaced the directory, which this node made under an earlier name: the message waits.
				if ((error as NodeJS.ErrnoException).code !== "ENOTDIR") throw error;
				targets.delete(gitPathOf(target));
			}
		}
	} finally {
		places.close();
	}
	fs.rmSync(staging, { recursive: true });
	for (const directory of directories) {
		fsyncDirectory(path.join(paths.root, directory));
		fsyncDirectory(path.join(paths.root, path.dirname(directory)));
	}
	faultPoint("outbox-placed");
	return [...targets];
}

/** If `sync/` is on another file system, through a copy beside the target. */
function moveInto(places: PlacesBeneath, from: string, target: Buffer): void {
	try {
		fs.renameSync(from, places.file(target));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
		const directory = target.subarray(0, target.lastIndexOf(0x2f) + 1);
		const copy = places.file(Buffer.concat([directory, Buffer.from(`.${randomUUID()}.tmp`)]));
		fs.writeFileSync(copy, fs.readFileSync(from), { flag: "wx", flush: true });
		fs.renameSync(copy, places.file(target));
	}
}

function readPending(paths: WorkspacePaths, name: string): Buffer | null {
	try {
		return fs.readFileSync(pendingFile(paths, name));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
		throw error;
	}
}

/** A commit of ours has the messages: even if the file changes there, it is not written again. */
export function markCommitted({ paths }: CycleContext, outbox: Outbox): Outbox {
	const { deliveries, targets } = outbox;
	if (targets.length === 0) return outbox;
	const placed = new Set<string>(targets);
	const fixed = readFixed(paths);
	const marked = asRecorded(fixed, deliveries).map((delivery) => ({
		...delivery,
		committed: delivery.committed || placed.has(placeOf(delivery)),
	}));
	writeFixed(paths, { ...fixed, deliveries: marked });
	faultPoint("outbox-committed");
	return { ...outbox, deliveries: marked };
}

/**
 * Deletes the pending files, once the commit with the messages is on the remote. A file that was replaced meanwhile under the
 * same name is another message and stays.
 * @param refused paths that the hub refuses: such a message stays as well
 * @returns the number of delivered messages
 */
export function confirmDelivered({ paths }: CycleContext, outbox: Outbox, refused: ReadonlyMap<string, unknown> = new Map()): number {
	if (outbox.deliveries.length === 0) return 0;
	const fixed = readFixed(paths);
	const deliveries = asRecorded(fixed, outbox.deliveries);
	let delivered = 0;
	const isRefused = (delivery: Delivery) => refused.has(placeOf(delivery));
	for (const delivery of deliveries) {
		const { name, blob, committed } = delivery;
		if (!committed || isRefused(delivery)) continue;
		const file = pendingFile(paths, name);
		// Renamed to a hidden name first: the removed file is the compared one.
		const grabbed = pendingFile(paths, `${grabbedPrefix}${blob}`);
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
	// A message that the hub refuses waits here; its commit was rewritten without it.
	const left = deliveries.filter((delivery) => !delivery.committed || isRefused(delivery));
	writeFixed(paths, { ...fixed, deliveries: left.map((delivery) => ({ ...delivery, committed: false })) });
	faultPoint("outbox-confirmed");
	return delivered;
}
