import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { GitError } from "../process/errors.ts";
import type { Oid, Repository } from "../process/repository.ts";
import type { KnownContents } from "./known-contents.ts";
import { readLooseObject } from "./loose-objects.ts";

export interface ObjectInfo {
	readonly oid: Oid;
	readonly type: "blob" | "tree" | "commit" | "tag";
	/** Bytes. */
	readonly size: number;
}

/** Called for one object: null if it does not exist, without content if it is over the limit. */
export type ReceiveObject = (info: ObjectInfo | null, content: Buffer | null, index: number) => void;

interface Request {
	readonly names: readonly Buffer[];
	next: number;
	readonly receive: ReceiveObject;
	resolve(): void;
	reject(error: unknown): void;
	readonly withContents: boolean;
	readonly limit: number;
}

/** A content that has been announced and is arriving; `left` bytes of it are still to come, the line feed after it included. */
interface IncomingContent {
	readonly info: ObjectInfo;
	left: number;
	/** Where a content is gathered that comes in several chunks. */
	large: Buffer | null;
}

/** The content, or CORRUPT_REPOSITORY with the id of what is missing. */
export function present(content: Buffer | null, oid: Oid): Buffer {
	if (content) return content;
	throw new GitError("CORRUPT_REPOSITORY", `object ${oid} is missing: run git fsck --full, then fetch it from another node`);
}

const missingLine = Buffer.from(" missing\n");
/** First letter of `missing`; no object type begins with it. */
const letterM = 0x6d;

/** The names of at most this many objects are in memory at a time, however many are requested. */
const namesAtATime = 4_096;

/** After this many known contents in a row, signals and the watchdog get their turn. Shorter runs are requested from git with the other objects. */
const knownAtATime = 64;

/** Of at most this many objects, the loose ones are read without git; of more, git reads all of them sooner. */
const fewObjects = 64;

/** An object whose content need not be requested from git. */
interface ReadObject {
	readonly info: ObjectInfo;
	readonly content: Buffer;
}

/** Asks one `git cat-file --batch-command` process about many objects (git-cat-file(1), BATCH OUTPUT). Few loose ones it reads itself. */
export class ObjectReader {
	readonly #input = new PassThrough();
	readonly #requests: Request[] = [];
	#pending: Buffer[] = [];
	#pendingBytes = 0;
	/** What the last header announced. */
	#content: IncomingContent | null = null;
	#failure: unknown = null;
	readonly #repository: Repository;
	#running: Promise<void> | null = null;
	/** Contents that need not be requested from git; null: none. */
	readonly known: KnownContents | null;

	/** The process starts with the first request. */
	constructor(repository: Repository, known: KnownContents | null = null) {
		this.#repository = repository;
		this.known = known;
	}

	/** Resolves when the process has ended; at once if it was never started. */
	get ended(): Promise<void> {
		return this.#running ?? Promise.resolve();
	}

	#start(): void {
		this.#running ??= this.#repository
			.run(["cat-file", "--batch-command", "-z", "--buffer"], { input: this.#input, onOutput: (chunk) => this.#onOutput(chunk) })
			.then(
				() => this.#fail(new GitError("CORRUPT_REPOSITORY", "an object could not be read: run git fsck --full")),
				(error) => this.#fail(error),
			);
	}

	/**
	 * Hands over many objects in order, one by one, so that never more than one is in memory because of us.
	 * @param names ids, or anything that gitrevisions(7) allows, such as `<tree>:<path>`
	 * @param limit bytes; larger contents are not kept
	 * @throws GitError; what the receiver throws
	 */
	async each(names: readonly (string | Buffer)[], receive: ReceiveObject, limit = Number.POSITIVE_INFINITY): Promise<void> {
		const known = this.#runsOfKnown(names);
		let at = 0;
		for (const run of [...known, { start: names.length, objects: [] }]) {
			const from = at;
			await this.#ask(names.slice(from, run.start), true, limit, (info, content, index) => receive(info, content, from + index));
			for (const [index, { info, content }] of run.objects.entries())
				receive(info, content.length > limit ? null : content, run.start + index);
			if (run.objects.length > 0) await nextTurn();
			at = run.start + run.objects.length;
		}
	}

	/** An object that is known, or loose and one of few; undefined: git must be asked. */
	#readHere(name: string | Buffer, isOfFew: boolean): ReadObject | undefined {
		if (typeof name !== "string") return undefined;
		const known = this.known?.get(name);
		if (known !== undefined) return { info: { oid: name, type: "blob", size: known.length }, content: known };
		const loose = isOfFew && /^[0-9a-f]{40,64}$/.test(name) ? readLooseObject(this.#repository, name) : null;
		return loose === null ? undefined : { info: { oid: name, type: loose.type, size: loose.content.length }, content: loose.content };
	}

	/** Runs of consecutive names whose objects need not be requested, cut into pieces. */
	#runsOfKnown(names: readonly (string | Buffer)[]): { readonly start: number; readonly objects: ReadObject[] }[] {
		const isFew = names.length <= fewObjects;
		if (this.known === null && !isFew) return [];
		const runs: { readonly start: number; readonly objects: ReadObject[] }[] = [];
		for (const [index, name] of names.entries()) {
			const object = this.#readHere(name, isFew);
			if (object === undefined) continue;
			const last = runs.at(-1);
			if (last && last.start + last.objects.length === index && last.objects.length < knownAtATime) last.objects.push(object);
			else runs.push({ start: index, objects: [object] });
		}
		return runs.filter(
			({ start, objects }) => objects.length === knownAtATime || names.length <= knownAtATime || start + objects.length === names.length,
		);
	}

	/** Id, type and size of each name, in order; null where there is none. @throws GitError */
	async infos(names: readonly (string | Buffer)[]): Promise<(ObjectInfo | null)[]> {
		const found = names.map((name) => this.#readHere(name, names.length <= fewObjects)?.info ?? null);
		const asked = [...names.keys()].filter((index) => found[index] === null);
		await this.#ask(
			asked.map((index) => names[index] as string | Buffer),
			false,
			0,
			(info, _content, at) => {
				found[asked[at] as number] = info;
			},
		);
		return found;
	}

	/** The contents of a few objects, in order. @throws GitError CORRUPT_REPOSITORY when one is missing */
	async contents(oids: readonly Oid[]): Promise<Buffer[]> {
		const found: Buffer[] = [];
		await this.each(oids, (_info, content, index) => found.push(Buffer.from(present(content, oids[index] ?? ""))));
		return found;
	}

	close(): void {
		this.#input.end();
	}

	async #ask(names: readonly (string | Buffer)[], withContents: boolean, limit: number, receive: ReceiveObject): Promise<void> {
		for (let start = 0; start < names.length; start += namesAtATime)
			await this.#askSome(names.slice(start, start + namesAtATime), withContents, limit, (info, content, index) =>
				receive(info, content, start + index),
			);
	}

	#askSome(names: readonly (string | Buffer)[], withContents: boolean, limit: number, receive: ReceiveObject): Promise<void> {
		return new Promise((resolve, reject) => {
			if (this.#failure) {
				reject(this.#failure);
				return;
			}
			this.#start();
			const asBytes = names.map((name) => (typeof name === "string" ? Buffer.from(name) : name));
			this.#requests.push({ names: asBytes, next: 0, receive, resolve, reject, withContents, limit });
			const command = Buffer.from(withContents ? "contents " : "info ");
			this.#input.write(Buffer.concat([...asBytes.flatMap((name) => [command, name, Buffer.of(0)]), Buffer.from("flush\0")]));
		});
	}

	#fail(error: unknown): void {
		this.#failure ??= error;
		for (const request of this.#requests.splice(0)) request.reject(this.#failure);
	}

	#onOutput(chunk: Buffer): void {
		if (this.#failure) return;
		this.#pending.push(chunk);
		this.#pendingBytes += chunk.length;
		try {
			while (this.#requests[0] && this.#step(this.#requests[0])) {
				const [request] = this.#requests;
				if (request && request.next === request.names.length) {
					this.#requests.shift();
					request.resolve();
				}
			}
		} catch (error) {
			this.#fail(error);
			this.close();
		}
	}

	/** Takes one header or one content off what has arrived. False: more must arrive first. */
	#step(request: Request): boolean {
		if (this.#content) {
			const { info, left } = this.#content;
			if (info.size > request.limit) {
				const dropped = Math.min(left, this.#pendingBytes);
				this.#drop(this.#joined(), dropped);
				this.#content.left -= dropped;
				if (this.#content.left > 0) return false;
				this.#content = null;
				request.receive(info, null, request.next++);
				return true;
			}
			if (this.#content.large === null && this.#pendingBytes >= left) {
				const buffer = this.#joined();
				this.#drop(buffer, left);
				this.#content = null;
				request.receive(info, buffer.subarray(0, left - 1), request.next++);
				return true;
			}
			const large = this.#gather(this.#content);
			if (large === null) return false;
			this.#content = null;
			request.receive(info, large.subarray(0, info.size), request.next++);
			return true;
		}
		if (this.#pendingBytes === 0) return false;
		const buffer = this.#joined();
		// A name that is echoed may hold line breaks: it is recognised whole.
		const name = request.names[request.next] ?? Buffer.alloc(0);
		if (buffer.length < name.length + 2 || buffer[name.length + 1] === letterM) {
			const echoed = Buffer.concat([name, missingLine]);
			if (buffer.subarray(0, echoed.length).equals(echoed)) {
				this.#drop(buffer, echoed.length);
				request.receive(null, null, request.next++);
				return true;
			}
			if (buffer.length < echoed.length && buffer.equals(echoed.subarray(0, buffer.length))) return false;
		}
		const end = buffer.indexOf(10);
		if (end < 0) return false;
		const header = buffer.toString("latin1", 0, end);
		const match = /^([0-9a-f]{40,64}) (blob|tree|commit|tag) (\d+)$/.exec(header);
		if (!match) throw new GitError("CORRUPT_REPOSITORY", `an object could not be read (${header}): run git fsck --full`);
		const info: ObjectInfo = { oid: match[1] ?? "", type: match[2] as ObjectInfo["type"], size: Number(match[3]) };
		this.#drop(buffer, end + 1);
		if (request.withContents) this.#content = { info, left: info.size + 1, large: null };
		else request.receive(info, null, request.next++);
		return true;
	}

	/** Moves what has arrived of a large content to its place, so that it is never in memory twice. @returns all of it; null: more must arrive */
	#gather(content: IncomingContent): Buffer | null {
		content.large ??= Buffer.allocUnsafe(content.left);
		for (const chunk of this.#pending.splice(0)) {
			const taken = Math.min(chunk.length, content.left);
			chunk.copy(content.large, content.large.length - content.left, 0, taken);
			content.left -= taken;
			this.#pendingBytes -= taken;
			if (taken < chunk.length) this.#pending.push(chunk.subarray(taken));
		}
		return content.left === 0 ? content.large : null;
	}

	#joined(): Buffer {
		if (this.#pending.length !== 1) this.#pending = [Buffer.concat(this.#pending)];
		return this.#pending[0] ?? Buffer.alloc(0);
	}

	#drop(buffer: Buffer, bytes: number): void {
		const rest = buffer.subarray(bytes);
		this.#pending = [rest];
		this.#pendingBytes = rest.length;
	}
}

/**
 * Opens a reader for as long as `use` takes. The process ends with `use`, even if that fails.
 * @param known contents that need not be requested from git
 */
export async function withObjectReader<T>(
	repository: Repository,
	use: (reader: ObjectReader) => Promise<T>,
	known: KnownContents | null = null,
): Promise<T> {
	const reader = new ObjectReader(repository, known);
	try {
		return await use(reader);
	} finally {
		reader.close();
		await reader.ended;
	}
}
