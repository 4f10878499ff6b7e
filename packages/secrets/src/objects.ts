import { type Assigned, acceptsBare } from "./assignments.ts";
import { secretNameAt } from "./names.ts";
import type { ListRule } from "./rule.ts";
import { looksDrawn, looksThoughtOut } from "./values.ts";

// Values beside a mark in the same object, and lists below a name.

const longestObject = 1_500;
const quotedValue = /\\{0,3}["']value\\{0,3}["']\s{0,4}:\s{0,4}\\{0,3}["'](?<value>[^\s"'\\]{8,600})\\{0,3}["']/;

/** The value in the innermost object around an offset. */
function valueBeside(text: string, offset: number): Assigned | null {
	const from = Math.max(0, offset - longestObject);
	const open = text.slice(from, offset).lastIndexOf("{");
	if (open < 0) return null;
	const start = from + open;
	const rest = text.slice(offset, offset + longestObject);
	const close = rest.search(/[{}]/);
	const object = text.slice(start, offset) + (close < 0 ? rest : rest.slice(0, close));
	const found = object.includes("}") ? null : quotedValue.exec(object);
	const value = found?.groups?.value;
	if (!found || value === undefined) return null;
	const at = start + found.index + found[0].lastIndexOf(value);
	return { value, start: at, end: at + value.length };
}

const isDrawn = ({ value }: Assigned) => looksDrawn(value, 10) || looksThoughtOut(value);

const tag = /<[^<>]{0,400}$/;
const inputValue = /\svalue\s?=\s?(?:\\{0,3}["'](?<quoted>[^\s"'<>\\]{8,200})\\{0,3}["']|(?<bare>[^\s"'<>\\]{8,200}))/i;

/** The value of a field for a password that a page has filled in. */
function filledAt(text: string, offset: number): Assigned[] {
	const head = tag.exec(text.slice(Math.max(0, offset - 400), offset))?.[0];
	if (head === undefined || !/^<input\s/i.test(head)) return [];
	const all = head + (/^[^<>]{0,400}/.exec(text.slice(offset, offset + 400))?.[0] ?? "");
	const found = inputValue.exec(all);
	const value = found?.groups?.quoted ?? found?.groups?.bare;
	if (!found || value === undefined || !looksDrawn(value, 12)) return [];
	const start = offset - head.length + found.index + found[0].lastIndexOf(value);
	return [{ value, start, end: start + value.length }];
}

export const objectRules: readonly ListRule[] = [
	{
		// Outputs of Terraform; variables of Postman.
		id: "assigned-secret",
		literals: ['"sensitive": true', '"sensitive":true', '"type": "secret"', '"type":"secret"'],
		findAll: (text, offset) => [valueBeside(text, offset)].filter((found): found is Assigned => found !== null && isDrawn(found)),
	},
	{
		id: "assigned-secret",
		literals: ['type="password"', "type='password'", "type=password", 'type=\\"password'],
		anyCase: true,
		findAll: filledAt,
	},
];

/** The text between a name and the list below it. */
const listStart = /["']?\s{0,3}(?::[ \t]{0,3}\r?\n(?<indent>[ \t]{0,24})(?=- )|[:=]>?\s{0,3}[[(]\s{0,40}(?=["']))/y;
const yamlItem = /([ \t]{0,24})-[ \t]{1,3}(?<quote>["']?)(?<value>[^\s"'#&*{}[\]]{1,400})\k<quote>[ \t]{0,8}(?:#[^\n]{0,200})?(?:\r?\n|$)/y;
const quotedItem = /\s{0,40}["'](?<value>[^"'\\\n]{1,400})["']\s{0,40}(?<end>[,\])])/y;
const longestList = 200;

/** Whether a list may begin behind the name at an offset: nearly always no. */
const mayList = /[A-Za-z0-9_.-]{3,64}["']?\s{0,3}(?::[ \t]{0,3}\r?\n[ \t]{0,24}- |[:=]>?\s{0,3}[[(]\s{0,40}["'])/y;

function listedAt(text: string, offset: number): Assigned[] {
	mayList.lastIndex = offset;
	if (!mayList.test(text)) return [];
	const name = secretNameAt(text, offset);
	if (name === null) return [];
	listStart.lastIndex = name.end;
	const start = listStart.exec(text);
	if (start === null) return [];
	const item = start.groups?.indent === undefined ? quotedItem : yamlItem;
	const found: Assigned[] = [];
	let at = listStart.lastIndex - (start.groups?.indent?.length ?? 0);
	for (let count = 0; count < longestList; count++) {
		item.lastIndex = at;
		const one = item.exec(text);
		if (one === null) break;
		const value = one.groups?.value ?? "";
		// A name, whose value follows.
		if (one.groups?.quote === "" && value.endsWith(":")) break;
		const from = at + one[0].indexOf(value);
		if (acceptsBare(value, name)) found.push({ value, start: from, end: from + value.length });
		at = item.lastIndex;
		if (one.groups?.end !== undefined && one.groups.end !== ",") break;
	}
	return found;
}

/** Before the name of a pair whose value may come first. */
const pairHead =
	/(?:\\{0,3}["'](?:name|key)\\{0,3}["']\s{0,4}:\s{0,4}\\{0,3}["']|(?:^|\n)(?<indent>[ \t]{0,40})(?:name|key):[ \t]{1,4}["']?)[A-Za-z0-9_.-]{0,48}$/;
const mayPair = /(?:name|key)(?:\\{0,3}["'])?\s{0,4}:\s{0,4}\\{0,3}["']?[A-Za-z0-9_.-]{0,48}$/;
const lineBefore = /(?:^|\n)(?<dash>[ \t]{0,40}-?[ \t]{1,3})value:[ \t]{1,4}["']?(?<value>[^\s"']{8,400})["']?[ \t]{0,4}\r?\n$/;

/** The value of a pair whose name follows it: `{"value": …, "name": "DB_PASSWORD"}`. */
function pairedAt(text: string, offset: number): Assigned[] {
	const from = Math.max(0, offset - 128);
	if (!mayPair.test(text.slice(Math.max(0, offset - 64), offset))) return [];
	const head = pairHead.exec(text.slice(from, offset));
	if (head === null) return [];
	const length = /^[A-Za-z0-9_.-]{0,64}/.exec(text.slice(offset, offset + 64))?.[0].length ?? 0;
	const before = /[A-Za-z0-9_.-]{0,48}$/.exec(text.slice(from, offset))?.[0] ?? "";
	const name = secretNameAt(`${before}${text.slice(offset, offset + length)}=`, before.length);
	if (name === null || name.end !== before.length + length) return [];
	if (head.groups?.indent === undefined) {
		const found = valueBeside(text, offset);
		return found !== null && acceptsBare(found.value, name) ? [found] : [];
	}
	const end = from + head.index + (head[0].startsWith("\n") ? 1 : 0);
	const line = lineBefore.exec(text.slice(Math.max(0, end - 500), end));
	const value = line?.groups?.value;
	if (!line || value === undefined || line.groups?.dash?.length !== head.groups.indent.length || !acceptsBare(value, name)) return [];
	const start = end - line[0].length + line[0].lastIndexOf(value);
	return [{ value, start, end: start + value.length }];
}

/** Values of a name in another place than behind it: in a list below it, or before it in the same object. */
export const besideName = (text: string, offset: number): Assigned[] => {
	const listed = listedAt(text, offset);
	return listed.length > 0 ? listed : pairedAt(text, offset);
};
