import { LiteralFinder } from "./literals.ts";

/** What the values of secretlint's recommended rules begin with or contain. The rules run only around these: over whole files they take 40 ms/MB. */
const literals = [
	"AKIA",
	"AGPA",
	"AIDA",
	"AROA",
	"AIPA",
	"ANPA",
	"ANVA",
	"ASIA",
	"npm_",
	"_authToken",
	"xox",
	"xapp-",
	"hooks.slack.com",
	"T3BlbkFJ",
	"sk-ant-",
	"gsk_",
	"hf_",
	"lin_api_",
	"ntn_",
	"BEGIN ",
	"SG.",
	"shp",
	"gh",
	"github_pat_",
	"glpat-",
	"glsa_",
	"ops_ey",
	"mongodb",
	"mysql",
	"postgres",
	"hvs.",
	"hvb.",
	"hvr.",
	"vcp_",
	"vci_",
	"vca_",
	"vcr_",
	"vck_",
	"dapi",
	"dckr_pat_",
	"figd_",
] as const;
/** Only with enough behind it that could be a token or a password. */
const plausible = /^[\w.:/+@-]{0,24}[\w.:/+-]{16}|^BEGIN [A-Z ]*PRIVATE/;

const finder = new LiteralFinder(literals.map((text) => ({ text, anyCase: false })));
/** Bytes of a content that the rules are given before and after a literal: a secret and its name. */
const beforeBytes = 256;
const afterBytes = 4_096;
/** More excerpts of one content than this are not looked at: each takes a millisecond. */
const maxExcerpts = 64;

export interface Excerpt {
	start: number;
	end: number;
}

/** The parts of a content that the rules are to look at. */
export function excerptsOf(content: Buffer): Excerpt[] {
	const excerpts: Excerpt[] = [];
	finder.search(content, (_literal, offset) => {
		const open = excerpts.at(-1);
		if (open !== undefined && offset < open.end - afterBytes / 2) return false;
		if (!plausible.test(content.toString("latin1", offset, offset + 64))) return false;
		const start = Math.max(0, offset - beforeBytes);
		const end = Math.min(content.length, offset + afterBytes);
		if (open !== undefined && start <= open.end) open.end = end;
		else if (excerpts.length >= maxExcerpts) return true;
		else excerpts.push({ start, end });
		return false;
	});
	return excerpts;
}

/** Whether there are any. */
export function mayConcernSecretlint(content: Uint8Array): boolean {
	return excerptsOf(Buffer.from(content.buffer, content.byteOffset, content.byteLength)).length > 0;
}
