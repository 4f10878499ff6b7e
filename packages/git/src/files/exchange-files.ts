import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";

/** renameat2(2), llistxattr(2), lgetxattr(2) and lsetxattr(2) by architecture, as Node names them. */
const calls: Readonly<Record<string, readonly [exchange: number, list: number, get: number, set: number]>> = {
	x64: [316, 195, 192, 189],
	arm64: [276, 12, 9, 6],
	riscv64: [276, 12, 9, 6],
	loong64: [276, 12, 9, 6],
	arm: [382, 233, 230, 227],
	ia32: [353, 233, 230, 227],
	ppc64: [357, 216, 213, 210],
	s390x: [347, 231, 228, 225],
};

// What is wanted and a pair of paths in, each with a NUL at its end; one digit out when it is ready, and one for each pair. -100 is AT_FDCWD,
// 2 is RENAME_EXCHANGE. Attributes of the kernel's own (security, trusted) are not a file's content, and stay behind.
const program = `$| = 1; print 1; $/ = "\\0";
my ($exchange, $list, $get, $set) = map { $_ + 0 } @ARGV;
sub carry {
	my ($from, $to) = @_;
	my $names = "\\0" x 65536;
	my $length = syscall($list, $from, $names, 65536);
	my $done = 0;
	return 0 if $length <= 0;
	for my $name (split /\\0/, substr($names, 0, $length)) {
		next unless $name =~ /^user\\.|^system\\.posix_acl_access$/;
		my $value = "\\0" x 65536;
		my $size = syscall($get, $from, $name, $value, 65536);
		next if $size < 0;
		$value = substr($value, 0, $size);
		$done = 1 if syscall($set, $to, $name, $value, $size + 0, 0) == 0;
	}
	return $done;
}
while (defined(my $what = <STDIN>)) {
	my $a = <STDIN>; my $b = <STDIN>; chomp $what; chomp $a; chomp $b;
	print $what eq "x" ? (syscall($exchange, -100, $a, -100, $b, 2) == 0 ? 1 : 0) : carry($a, $b);
}`;

/** What a checkout asks of a FileExchanger. */
export type Exchanger = Pick<FileExchanger, "ready" | "exchange" | "copyAttributes" | "copyAllAttributes" | "close">;

/**
 * Swaps the files at two paths, in one step: neither is ever missing, and nothing is overwritten (renameat2(2), RENAME_EXCHANGE).
 * Node has no such call; perl, an essential package of Debian, makes it. Where that is impossible, `exchange` returns false.
 */
export class FileExchanger {
	readonly #child: ChildProcess | null;
	readonly #waiting: ((done: boolean) => void)[] = [];
	#ended = false;
	/**
	 * Whether files can be exchanged, as soon as that is known. A caller that reads a file first and then has to wait for this exchanges what
	 * may have been written meanwhile.
	 */
	readonly ready: Promise<boolean>;

	constructor(architecture: string = process.arch, platform: string = process.platform) {
		const numbers = platform === "linux" ? calls[architecture] : undefined;
		if (numbers === undefined) {
			this.#child = null;
			this.#ended = true;
			this.ready = Promise.resolve(false);
			return;
		}
		const child = spawn("perl", ["-e", program, ...numbers.map(String)], {
			// It may outlive the directory of its start.
			cwd: "/",
			stdio: ["pipe", "pipe", "ignore"],
			env: { PATH: process.env.PATH },
		});
		this.ready = new Promise((resolve) => {
			this.#waiting.push(resolve);
		});
		const end = () => {
			this.#ended = true;
			for (const answer of this.#waiting.splice(0)) answer(false);
		};
		child.on("error", end);
		child.on("close", end);
		child.stdin.on("error", () => undefined);
		child.stdout.on("data", (digits: Buffer) => {
			for (const digit of digits) this.#waiting.shift()?.(digit === 0x31);
		});
		this.#child = child;
	}

	/** @returns whether the two were swapped; false: nothing was changed (one of them does not exist, or the file system cannot) */
	async exchange(a: Buffer, b: Buffer): Promise<boolean> {
		return await this.#ask("x", a, b);
	}

	/**
	 * Gives a file the access list and the extended attributes (`user.*`) of another one, as far as this user may.
	 * @returns whether any were given: an access list has brought its own permission bits with it
	 */
	async copyAttributes(from: Buffer, to: Buffer): Promise<boolean> {
		return await this.#ask("a", from, to);
	}

	/** The same for many, in one go: of each pair the second gets them. */
	copyAllAttributes(pairs: readonly (readonly [from: Buffer, to: Buffer])[]): Promise<boolean>[] {
		this.#child?.stdin?.cork();
		const answers = pairs.map(([from, to]) => this.copyAttributes(from, to));
		this.#child?.stdin?.uncork();
		return answers;
	}

	async #ask(what: "x" | "a", a: Buffer, b: Buffer): Promise<boolean> {
		if (this.#ended) return false;
		return await new Promise((resolve) => {
			this.#waiting.push(resolve);
			const end = Buffer.of(0);
			this.#child?.stdin?.write(Buffer.concat([Buffer.from(what), end, a, end, b, end]));
		});
	}

	/** Whether its process runs, and has answered everything. */
	get isAtRest(): boolean {
		return !this.#ended && this.#waiting.length === 0;
	}

	/** Whether this process waits for the other one before it ends by itself. */
	setWaitedFor(isWaitedFor: boolean): void {
		const method = isWaitedFor ? "ref" : "unref";
		this.#child?.[method]();
		// They are sockets, which have these methods (child_process, "pipe").
		for (const stream of [this.#child?.stdin, this.#child?.stdout]) (stream as Socket | null | undefined)?.[method]();
	}

	close(): void {
		this.#child?.stdin?.end();
	}
}

/** After a checkout the process waits this long for the next one: its start takes longer than most checkouts. */
const keptMs = 30_000;
let kept: { readonly exchanger: FileExchanger; readonly timer: NodeJS.Timeout } | null = null;

/** An exchanger for one checkout: the one that an earlier checkout gave back, or a new one. */
export function takeExchanger(): FileExchanger {
	const exchanger = kept?.exchanger;
	clearTimeout(kept?.timer);
	kept = null;
	if (exchanger?.isAtRest !== true) return new FileExchanger();
	exchanger.setWaitedFor(true);
	return exchanger;
}

/** Takes an exchanger back, and keeps it for a while if it is at rest. It does not keep this process running. */
export function returnExchanger(exchanger: Exchanger): void {
	if (kept !== null || !(exchanger instanceof FileExchanger) || !exchanger.isAtRest) {
		exchanger.close();
		return;
	}
	exchanger.setWaitedFor(false);
	const timer = setTimeout(() => {
		kept = null;
		exchanger.close();
	}, keptMs).unref();
	kept = { exchanger, timer };
}
