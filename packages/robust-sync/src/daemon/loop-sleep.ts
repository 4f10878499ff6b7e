/** The wait of a loop between two rounds: until the time is over, or it is woken, or the loop ends. */
export class LoopSleep {
	#wake: (() => void) | undefined;
	#isEnded = false;

	/** @param ms milliseconds; no wait after {@link end} */
	async sleep(ms: number): Promise<void> {
		if (this.#isEnded) return;
		await new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, ms);
			this.#wake = () => {
				clearTimeout(timer);
				resolve();
			};
		});
		this.#wake = undefined;
	}

	/** Ends the sleep in progress. */
	wake(): void {
		this.#wake?.();
	}

	/** Ends the sleep in progress and every later one: the loop may be at any point when it is stopped. */
	end(): void {
		this.#isEnded = true;
		this.wake();
	}
}
