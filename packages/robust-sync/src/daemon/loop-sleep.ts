/** How a loop waits between two rounds: until the time is over, it is woken, or the loop is to end. */
export class LoopSleep {
	#wake: (() => void) | undefined;
	#isEnded = false;

	/** @param ms how long, milliseconds; not at all once the loop is to end */
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

	/** Ends the sleep in progress and every later one: the loop may be anywhere when it is told to end. */
	end(): void {
		this.#isEnded = true;
		this.wake();
	}
}
