import type { Match } from "./finder.ts";
import type { Literal } from "./literals.ts";

/** Beginnings and parts of the values of secretlint's recommended rules. The rules run only around these: over whole files they take 40 ms/MB. */
const texts = [
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
	"shppa_",
	"shpca_",
	"shpat_",
	"shpss_",
	"ghp_",
	"gho_",
	"ghu_",
	"ghs_",
	"ghr_",
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
/** The same, in the form for the search. */
export const secretlintLiterals: readonly Literal[] = texts.map((text) => ({ text, anyCase: false }));

/** Only with enough after it to be a token, a key or an address with a password. */
const plausible =
	/^(?:mongodb|mysql|postgres)[\w+]{0,8}:\/\/[^:/\s]{1,100}:[^@/\s]{1,200}@|^BEGIN ?[A-Z ]*PRIVATE|^_authToken=[^$]|^(?:npm|gh[pousr])_\w{36}|^(?!mongodb|mysql|postgres|BEGIN|_auth|npm_|gh[pousr]_)[\w.:/+@-]{0,24}[\w.:/+-]{16}/;
const plausibleBytes = 320;

/** Bytes of a content that the rules get before and after a literal: a secret and its name. */
const beforeBytes = 256;
const afterBytes = 4_096;
/** At most this many excerpts of one content are searched: each takes a millisecond. */
const maxExcerpts = 64;
/** Distance from these literals to the start of their values: the frame of a key, the scheme of an address. */
const frameBytes = 80;
const framed = /^(?:private-key|slack-webhook|url-password)$/;

/** A range of bytes of a content. */
export interface Excerpt {
	start: number;
	end: number;
}

/**
 * The parts of a content that the rules search.
 * @param text one character a byte @param offsets of {@link secretlintLiterals} @param known matches found there already
 */
export function excerptsAround(text: string, offsets: readonly number[], known: readonly Match[]): Excerpt[] {
	const excerpts: Excerpt[] = [];
	for (const offset of [...offsets].sort((a, b) => a - b)) {
		const open = excerpts.at(-1);
		if (open !== undefined && offset < open.end - afterBytes / 2) continue;
		if (!plausible.test(text.slice(offset, offset + plausibleBytes))) continue;
		if (known.some(({ rule, start, end }) => offset < end && offset >= start - (framed.test(rule) ? frameBytes : 0))) continue;
		const start = Math.max(0, offset - beforeBytes);
		const end = Math.min(text.length, offset + afterBytes);
		if (open !== undefined && start <= open.end) open.end = end;
		else if (excerpts.length >= maxExcerpts) break;
		else excerpts.push({ start, end });
	}
	return excerpts;
}
