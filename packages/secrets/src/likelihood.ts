// How likely a text is to have been written by people or programs, beside how likely it is to have been drawn at random.

/**
 * The cost, in half bits (base 36), of one character after another in names, words and addresses of sources; rows are the first
 * character, columns the second: a to z, any digit, anything else. Counted over the 88 MB of sources that npm and Debian ship.
 */
const pairCosts = [
	"ha89ie9lbje687m9n685befdcjjg",
	"6edf7ffi78j6gg7fo9af6kkjakgc",
	"7hcf7gk6bg88fi4fn9b6akklemig",
	"7dca3ceg6jgbde8clbacafhkdnhc",
	"9d88cadhefh8a7ebc567gce8dmld",
	"7fce88il4nm9if6hp99baljlbqgc",
	"bfdg4fca6kk9c9bdo8899gincjnc",
	"6heg5hjj5njecd7ekbc57kjofnle",
	"bb99ab9okng8a46bka66gcoepcqi",
	"alhh5jlbdmhjji9ejk2hcebmmlng",
	"8fbc3dbf6jiddbbcjc7cagemgonc",
	"7eea49gi5fh8fg7coga99ejpbpoe",
	"5afd4hgk7eib9f77kgafbhljfpmd",
	"8e877a7hajdefc7ckf75bbingmod",
	"db97hdckdgc974b8p5a99cagjgsh",
	"5ifd5hid9of8eh79n687ahjnclmf",
	"jjhggjjkfmq9eijghcbe1gfmmmne",
	"7fac4eai7odcbb7fn988beipbnod",
	"bg9f5eha8kedef9ahe85affhcnma",
	"7gbe5ei76kideg89n888bhgi9mmd",
	"b8bb7ccp9nk686f8o677jkqhommm",
	"4gdh3gck7poigbbfshdgbjkmiofe",
	"6fde6fga5ofdf86do78cih8kjnmd",
	"9c9e8akhaodfbfd5nge5jijgcncc",
	"acbdbdcgcig8a7b4ld89gfbjihma",
	"8ihi3hjf6ngdef5hmgeeekijccke",
	"bbbabbjkjnkjhklipihhkjn7pl8a",
	"9a79aaac9cea9ab8i979cbcfhgfc",
].map((row) => Float64Array.from(row, (cost) => Number.parseInt(cost, 36) / 2));

/** Bits of a letter in English text (a to z), of a digit, and of all other characters. */
const frequency = [..."3.6.5.4.3.6.5.4.3.9.7.4.5.3.3.5.10.4.3.3.5.6.5.9.5.10.6.6".split(".").map(Number)];

/** The same for the case of a letter after a letter: bits from lower case to lower and to upper case, and from upper case to both. */
const lowerToLower = 0.09;
const lowerToUpper = 4.05;
const upperToLower = 0.83;
const upperToUpper = 1.2;

const digit = 26;
const other = 27;

function classOf(code: number): number {
	if (code >= 0x61 && code <= 0x7a) return code - 0x61;
	if (code >= 0x41 && code <= 0x5a) return code - 0x41;
	return code >= 0x30 && code <= 0x39 ? digit : other;
}

const caseCost = (code: number) => (code >= 0x41 && code <= 0x5a ? 3 : 0);

/** Bits of the second of two neighbouring characters, given the first one. Upper case is rarer than lower case. */
export function pairCost(text: string, at: number): number {
	const first = text.charCodeAt(at);
	const second = text.charCodeAt(at + 1);
	const before = classOf(first);
	return frequency[before]! + pairCosts[before]![classOf(second)]! + caseCost(first) + caseCost(second);
}

/** Characters that names, paths and addresses seldom have, and generated passwords often. */
const rare = /[!@#%^*=+?~]/g;

/** The size of the alphabet that a generator drew from. */
function alphabetSize(text: string): number {
	if (/^(?:[0-9a-f]+|[0-9A-F]+)$/.test(text)) return 16;
	const size = (/[a-z]/.test(text) ? 26 : 0) + (/[A-Z]/.test(text) ? 26 : 0) + (/\d/.test(text) ? 10 : 0);
	const others = new Set(text.replaceAll(/[A-Za-z0-9]/g, "")).size;
	return Math.max(2, size + (others > 2 ? 12 : others));
}

/**
 * The bits by which a text is likelier to be drawn at random than to be a name, a word or an address. One in a hundred names is above 12;
 * nearly every random text of 16 characters is above 15, of 32 above 40.
 */
export function randomBits(text: string): number {
	const drawn = Math.log2(alphabetSize(text));
	let bits = 0;
	let before = -1;
	let wasUpper = false;
	const isMixed = /[a-z]/.test(text) && /[A-Z]/.test(text);
	for (let at = 0; at < text.length; at++) {
		const code = text.charCodeAt(at);
		const now = classOf(code);
		const isUpper = code >= 0x41 && code <= 0x5a;
		if (before >= 0) {
			bits += pairCosts[before]![now]! - drawn;
			if (isMixed && now < digit && before < digit) {
				if (wasUpper) bits += isUpper ? upperToUpper : upperToLower;
				else bits += isUpper ? lowerToUpper : lowerToLower;
			} else if (now < digit && before >= digit) bits += 0.5;
		}
		before = now;
		wasUpper = isUpper;
	}
	return bits + 2 * (text.match(rare)?.length ?? 0);
}
