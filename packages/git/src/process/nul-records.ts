/**
 * Takes apart output that comes in pieces and whose records end in NUL.
 * @param receive called for each record, and at the end for what follows the last NUL; the bytes are its own only during the call
 */
export function nulRecords(receive: (record: Buffer) => void): { onOutput(chunk: Buffer): void; end(): void } {
	let rest: Buffer = Buffer.alloc(0);
	return {
		onOutput(chunk) {
			const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
			let start = 0;
			for (let end = buffer.indexOf(0); end >= 0; end = buffer.indexOf(0, start)) {
				receive(buffer.subarray(start, end));
				start = end + 1;
			}
			rest = Buffer.from(buffer.subarray(start));
		},
		end() {
			if (rest.length > 0) receive(rest);
		},
	};
}

/** The same with text, one character a byte: for output of many short records. @param receive called for each record, and for what follows the last NUL */
export function nulTexts(receive: (record: string) => void): { onOutput(chunk: Buffer): void; end(): void } {
	let rest = "";
	return {
		onOutput(chunk) {
			const records = chunk.toString("latin1").split("\0");
			records[0] = rest + records[0];
			rest = records.pop() ?? "";
			for (const record of records) receive(record);
		},
		end() {
			if (rest !== "") receive(rest);
		},
	};
}
