import { lintSource } from "@secretlint/core";
import { creator } from "@secretlint/secretlint-rule-preset-recommend";
import type { Match } from "./finder.ts";
import { isPublished, isToyKey } from "./published.ts";
import { isExampleValue, isPlaceholder } from "./randomness.ts";
import type { Excerpt } from "./secretlint-literals.ts";

const config = {
	rules: [{ id: "@secretlint/secretlint-rule-preset-recommend", rule: creator, options: {} }],
};

/** The findings of secretlint's recommended rules in parts of a content, without obvious examples. */
export async function secretlintMatches(content: Buffer, excerpts: readonly Excerpt[]): Promise<Match[]> {
	const found: Match[] = [];
	for (const { start, end } of excerpts) {
		// Its comments, which switch rules off, count as plain text: the author of a file must not decide whether it is searched.
		const text = content.toString("latin1", start, end).replaceAll("secretlint-", "secretlint_");
		const { messages } = await lintSource({
			source: { content: text, filePath: "/content.txt", ext: ".txt", contentType: "text" },
			options: { config, maskSecrets: false, noPhysicFilePath: true },
		});
		for (const { ruleId, range, messageId } of messages) {
			const value = text.slice(range[0], range[1]);
			if (isFalse(ruleId, messageId, value) || isPublished(value)) continue;
			found.push({
				rule: ruleId.replace(/^@secretlint\/secretlint-rule-/, "secretlint-"),
				value,
				start: start + range[0],
				end: start + range[1],
			});
		}
	}
	return found;
}

/** Findings that are frequent in documentation. */
function isFalse(ruleId: string, messageId: string, value: string): boolean {
	if (/basicauth|database-connection/.test(ruleId)) {
		const password = /:\/\/[^:/@]*:([^@]*)@/.exec(value)?.[1] ?? "";
		return password.length < 8 || isExampleValue(password) || !/\d/.test(password) || !/[A-Za-z]/.test(password);
	}
	if (/privatekey/.test(ruleId) && isToyKey(value, value.replace(/^-{4,5}[^-]*-{4,5}/, ""))) return true;
	if (/privatekey/.test(ruleId)) return value.replaceAll(/[^A-Za-z0-9+/]/g, "").length < 120 || isPlaceholder(value.slice(40, 80));
	// A token of npm is letters and digits: one with another underscore is the name of a constant.
	if (/npm/.test(ruleId) && /npm_\w*_/.test(value)) return true;
	// The number of an account is not secret.
	if (/aws/.test(ruleId) && /account/i.test(messageId)) return true;
	return isPlaceholder(value.replace(/^[A-Za-z]{2,10}[_.-]/, ""));
}
