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
	readonly names: readonly (string | Buffer)[];
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
	/** What has arrived, and how much of it was used. */
	#buffer: Buffer = Buffer.alloc(0);
	#at = 0;
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
		if (names.length <= fewObjects) {
			await this.#eachOfFew(names, receive, limit);
			return;
		}
		const known = this.#runsOfKnown(names);
		let at = 0;
		for (const run of [...known, { start: names.length, objects: [] }]) {
			await this.#askFrom(names, at, run.start, receive, limit);
			for (const [index, { info, content }] of run.objects.entries())
				receive(info, content.length > limit ? null : content, run.start + index);
			if (run.objects.length > 0) await nextTurn();
			at = run.start + run.objects.length;
		}
	}

	/** The same for few: a loose object is read when the receiver is done with the one before. */
	async #eachOfFew(names: readonly (string | Buffer)[], receive: ReceiveObject, limit: number): Promise<void> {
		let at = 0;
		for (const [index, name] of names.entries()) {
			const object = this.#readHere(name, true);
			if (object === undefined) continue;
			await this.#askFrom(names, at, index, receive, limit);
			receive(object.info, object.content.length > limit ? null : object.content, index);
			at = index + 1;
		}
		await this.#askFrom(names, at, names.length, receive, limit);
		if (at > 0) await nextTurn();
	}

	/** Requests the contents of the names from `from` to before `to`. */
	async #askFrom(names: readonly (string | Buffer)[], from: number, to: number, receive: ReceiveObject, limit: number): Promise<void> {
		await this.#ask(names.slice(from, to), true, limit, (info, content, index) => receive(info, content, from + index));
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
		if (this.known === null) return [];
		const runs: { readonly start: number; readonly objects: ReadObject[] }[] = [];
		for (const [index, name] of names.entries()) {
			const object = this.#readHere(name, false);
			if (object === undefined) continue;
			const last = runs.at(-1);
			if (last && last.start + last.objects.length === index && last.objects.length < knownAtATime) last.objects.push(object);
			else runs.push({ start: index, objects: [object] });
		}
		return runs.filter(({ start, objects }) => objects.length === knownAtATime || start + objects.length === names.length);
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
			this.#requests.push({ names, next: 0, receive, resolve, reject, withContents, limit });
			const command = withContents ? "contents " : "info ";
			const end = Buffer.from("\0");
			const input = names.every((name) => typeof name === "string")
				? Buffer.from(names.map((name) => `${command}${name}\0`).join(""))
				: Buffer.concat(names.flatMap((name) => [Buffer.from(command), typeof name === "string" ? Buffer.from(name) : name, end]));
			this.#input.write(input);
			this.#input.write("flush\0");
		});
	}

	#fail(error: unknown): void {
		this.#failure ??= error;
		for (const request of this.#requests.splice(0)) request.reject(this.#failure);
	}

	#onOutput(chunk: Buffer): void {
		if (this.#failure) return;
		this.#buffer = this.#at < this.#buffer.length ? Buffer.concat([this.#buffer.subarray(this.#at), chunk]) : chunk;
		this.#at = 0;
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
		return this.#content ? this.#takeContent(request, this.#content) : this.#takeHeader(request);
	}

	#takeContent(request: Request, content: IncomingContent): boolean {
		const { info, left } = content;
		const start = this.#at;
		const there = this.#buffer.length - start;
		if (info.size > request.limit) {
			const dropped = Math.min(left, there);
			this.#at += dropped;
			content.left -= dropped;
			if (content.left > 0) return false;
			this.#content = null;
			request.receive(info, null, request.next++);
			return true;
		}
		if (content.large === null && there >= left) {
			this.#at += left;
			this.#content = null;
			request.receive(info, this.#buffer.subarray(start, start + left - 1), request.next++);
			return true;
		}
		const large = this.#gather(content);
		if (large === null) return false;
		this.#content = null;
		request.receive(info, large.subarray(0, info.size), request.next++);
		return true;
	}

	#takeHeader(request: Request): boolean {
		const start = this.#at;
		const there = this.#buffer.length - start;
		if (there === 0) return false;
		// A name that is echoed may hold line breaks: it is recognized whole.
		const name = request.names[request.next] ?? "";
		const length = typeof name === "string" ? Buffer.byteLength(name) : name.length;
		if (there < length + 2 || this.#buffer[start + length + 1] === letterM) {
			const echoed = Buffer.concat([typeof name === "string" ? Buffer.from(name) : name, missingLine]);
			const begun = this.#buffer.subarray(start, start + echoed.length);
			if (begun.equals(echoed)) {
				this.#at += echoed.length;
				request.receive(null, null, request.next++);
				return true;
			}
			if (there < echoed.length && begun.equals(echoed.subarray(0, there))) return false;
		}
		const end = this.#buffer.indexOf(10, start);
		if (end < 0) return false;
		const header = this.#buffer.toString("latin1", start, end);
		const match = /^([0-9a-f]{40,64}) (blob|tree|commit|tag) (\d+)$/.exec(header);
		if (!match) throw new GitError("CORRUPT_REPOSITORY", `an object could not be read (${header}): run git fsck --full`);
		const info: ObjectInfo = { oid: match[1] ?? "", type: match[2] as ObjectInfo["type"], size: Number(match[3]) };
		this.#at = end + 1;
		if (request.withContents) this.#content = { info, left: info.size + 1, large: null };
		else request.receive(info, null, request.next++);
		return true;
	}

	/** Moves what has arrived of a large content to its place, so that it is never in memory twice. @returns all of it; null: more must arrive */
	#gather(content: IncomingContent): Buffer | null {
		content.large ??= Buffer.allocUnsafe(content.left);
		const taken = Math.min(this.#buffer.length - this.#at, content.left);
		this.#buffer.copy(content.large, content.large.length - content.left, this.#at, this.#at + taken);
		content.left -= taken;
		this.#at += taken;
		return content.left === 0 ? content.large : null;
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
