import { parseAllDocuments } from "yaml";
import { latin1ToUtf8 } from "./bytes.ts";

/** The parser is slow (about 1 MB a second); what takes longer than a few seconds to check is not worth merging line by line. */
export const MAX_CHECKED_BYTES = 2 * 1024 * 1024;

/** Does every YAML document of a text (one character per byte) parse, with no key twice in a map? */
export function isYaml(text: string): boolean {
	try {
		const documents = parseAllDocuments(latin1ToUtf8(text), { logLevel: "silent" });
		return !Array.isArray(documents) || documents.every((document) => document.errors.length === 0);
	} catch {
		return false;
	}
}
