import { choose } from "./choose.ts";
import { type Block, block, item, NotScannable } from "./keyed-text/item.ts";
import { mergeTrees } from "./keyed-text/merge.ts";
import { type IniSyntax, scanIni } from "./keyed-text/scan-ini.ts";
import { scanToml } from "./keyed-text/scan-toml.ts";
import { documentStart, scanYaml, type YamlStream } from "./keyed-text/scan-yaml.ts";
import { mergePlainly } from "./plain-text.ts";
import type { Merged, Sides } from "./sides.ts";

/** Formats of keys and values that are merged by key, with comments and layout kept. */
export type KeyedFormat = "toml" | "yaml" | "ini" | "env" | "properties" | "words";

const iniSyntax: Readonly<Record<Exclude<KeyedFormat, "toml" | "yaml">, IniSyntax>> = {
	ini: { quotedLines: false, between: /^([^=]*(?==)|[^=:]+(?=:(?:[ \t]|$)))[=:][ \t]*/ },
	env: { quotedLines: true, between: /^([^=]*)=[ \t]*/ },
	// A key ends at the first blank, `=` or `:` that is not escaped (java.util.Properties).
	properties: { quotedLines: false, between: /^[ \t]*((?:\\.|[^=:\s\\])+)(?:[ \t]*[=:][ \t]*|[ \t]+)/ },
	words: { quotedLines: false, between: /^[ \t]*([^ \t]+)[ \t]+/ },
};

/**
 * Merges a structured text key by key.
 *
 * @returns null: a version is not parsed completely, and needs another kind of merge.
 */
export function mergeKeyedText(sides: Sides, format: KeyedFormat): Merged | null {
	return mergePlainly(sides, (base, older, later) => {
		try {
			return mergeTexts(base, older, later, format);
		} catch (error) {
			if (error instanceof NotScannable) return null;
			throw error;
		}
	});
}

/** Arrays of tables are lists; if a version has two of them interleaved, the elements are separate items in all versions. */
function mergeToml(base: string | null, older: string, later: string): ReturnType<typeof mergeTrees> {
	const scanned = (apart: boolean) =>
		[base === null ? null : scanToml(base, apart), scanToml(older, apart), scanToml(later, apart)] as const;
	try {
		return mergeTrees(...scanned(false));
	} catch (error) {
		if (!(error instanceof NotScannable)) throw error;
		return mergeTrees(...scanned(true));
	}
}

function mergeTexts(base: string | null, older: string, later: string, format: KeyedFormat): ReturnType<typeof mergeTrees> {
	if (format === "toml") return mergeToml(base, older, later);
	if (format !== "yaml") {
		const scan = (text: string): Block => scanIni(text, iniSyntax[format]);
		return mergeTrees(base === null ? null : scan(base), scan(older), scan(later));
	}
	const streams = { base: base === null ? null : scanYaml(base), older: scanYaml(older), later: scanYaml(later) };
	const single = [streams.base, streams.older, streams.later].every((stream) => stream === null || stream.documents.length === 1);
	const tree = ({ documents }: YamlStream) =>
		single ? block(false, [item({ ...documents[0]!, key: "" })], "") : block(true, documents, "");
	const merged = mergeTrees(streams.base && tree(streams.base), tree(streams.older), tree(streams.later));
	const headed = choose(streams.base?.headed, streams.older.headed, streams.later.headed);
	const hasAdded = !headed && merged.text.startsWith(documentStart);
	return hasAdded ? { ...merged, text: merged.text.slice(documentStart.length) } : merged;
}
