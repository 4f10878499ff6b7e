import { type ChildProcess, spawn } from "node:child_process";

/** renameat2(2) by architecture, as Node names them. */
const renameat2: Readonly<Record<string, number>> = {
	x64: 316,
	arm64: 276,
	riscv64: 276,
	loong64: 276,
	arm: 382,
	ia32: 353,
	ppc64: 357,
	s390x: 347,
};

// Pairs of paths in, each with a NUL at its end; one digit out when it is ready, and one for each pair. -100 is AT_FDCWD, 2 is
// RENAME_EXCHANGE.
const program =
	'$| = 1; print 1; $/ = "\\0"; my $call = $ARGV[0] + 0; while (defined(my $a = <STDIN>)) { my $b = <STDIN>; chomp $a; chomp $b; print syscall($call, -100, $a, -100, $b, 2) == 0 ? 1 : 0; }';

/**
 * Swaps what two paths name, in one step: neither is ever missing, and nothing is overwritten (renameat2(2), RENAME_EXCHANGE).
 * Node has no such call; perl, which Debian cannot be without, makes it. Where it cannot be made, `exchange` says no.
 */
export class FileExchanger {
	readonly #child: ChildProcess | null;
	readonly #waiting: ((done: boolean) => void)[] = [];
	#ended = false;
	/**
	 * Whether files can be exchanged, as soon as that is known. Who looks at a file first and has to wait for this then, exchanges what
	 * may have been written meanwhile.
	 */
	readonly ready: Promise<boolean>;

	constructor(architecture: string = process.arch, platform: string = process.platform) {
		const call = platform === "linux" ? renameat2[architecture] : undefined;
		if (call === undefined) {
			this.#child = null;
			this.#ended = true;
			this.ready = Promise.resolve(false);
			return;
		}
		const child = spawn("perl", ["-e", program, String(call)], { stdio: ["pipe", "pipe", "ignore"], env: { PATH: process.env.PATH } });
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
		if (this.#ended) return false;
		return await new Promise((resolve) => {
			this.#waiting.push(resolve);
			this.#child?.stdin?.write(Buffer.concat([a, Buffer.of(0), b, Buffer.of(0)]));
		});
	}

	close(): void {
		this.#child?.stdin?.end();
	}
}
