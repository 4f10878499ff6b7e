/** A number with its noun: `1 file`, `2 files`. @param plural where an s does not do */
export function counted(number: number, noun: string, plural = `${noun}s`): string {
	return `${number} ${number === 1 ? noun : plural}`;
}
