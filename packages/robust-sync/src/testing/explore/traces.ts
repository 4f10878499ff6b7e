import { actNames } from "./acts.ts";
import { extensions, type Kind } from "./contents.ts";

/** The way in which the product replaces a file: by an exchange in one step, or, on file systems without it, by a rename and a link. */
export const ways = ["exchange", "link"] as const;
export type Way = (typeof ways)[number];

/**
 * The incoming commit's change of the path. Those in `twice` change it in two commits, each with a cycle of its own: one right after the
 * other, a minute later, or in the next life of the process. `pair` changes the path and another one beside it.
 */
export const incomings = [
	"change",
	"change-twice",
	"change-apart",
	"change-restart",
	"pair",
	"delete",
	"create",
	"mode",
	"link",
	"directory",
	"parent",
	"rename",
	"rename-here",
] as const;
export type Incoming = (typeof incomings)[number];

/** Two commits come in, one after the other. */
export const twice: ReadonlySet<Incoming> = new Set(["change-twice", "change-apart", "change-restart"]);

/** The path has content before and after the incoming change. */
export const staysInPlace: ReadonlySet<Incoming> = new Set(["change", ...twice, "pair", "mode"]);

/** Acts that change the type of the path: a mark of either side need not be at that path. */
export const changesPlaces: ReadonlySet<Incoming> = new Set(["create", "link", "directory", "parent", "rename", "rename-here"]);

/** Acts that concern more than one path: a kill, a person's git command, another commit, a set clock. */
export const widerActs = ["kill", "second", "git-add", "git-commit", "clock"] as const;

/** One act at one step. */
export interface Event {
	/**
	 * Before which call: `17` the 17th that names the path, `g5` the 5th git command, `m9` the 9th that changes something; `c17`, `cg5` and `cm9`
	 * count from the journal of the checkout on; `1:c17` is in the life of the process after the first kill; `end` is after the cycle, `late` a
	 * minute after it. With `f` before it (`fc17`, `fend`) it is in the cycle of the first of two incoming commits.
	 */
	readonly step: string;
	readonly act: string;
}

/** One experiment with one path. */
export interface Trace {
	readonly kind: Kind;
	/** Default: by an exchange. */
	readonly way?: Way;
	readonly incoming: Incoming;
	readonly events: readonly Event[];
}

/** A person's commit in the middle of a checkout ends the cycle with an error, and the next one continues. */
export const usesGit = (trace: Trace) => trace.events.some(({ act }) => act.startsWith("git-"));

export const isWide = (trace: Trace) => trace.events.some(({ act }) => (widerActs as readonly string[]).includes(act));

/** In the syntax of `--only`: `notes change 17=append m9=kill`, `link json change c5=rename`. */
export const traceText = ({ kind, incoming, events, way = "exchange" }: Trace) =>
	[...(way === "exchange" ? [] : [way]), kind, incoming, ...events.map(({ step, act }) => `${step}=${act}`)].join(" ");

/** @throws Error with the expected syntax */
export function parseTrace(text: string): Trace {
	const words = text.trim().split(/\s+/);
	const isLinking = words[0] === "link";
	const [kind, incoming, ...events] = isLinking ? words.slice(1) : words;
	const trace: Trace = {
		...(isLinking ? { way: "link" } : {}),
		kind: kind as Kind,
		incoming: incoming as Incoming,
		events: events.map((event) => {
			const [step = "", act = ""] = event.split("=");
			return { step, act };
		}),
	};
	const isKnown = (name: string) => actNames.includes(name) || (widerActs as readonly string[]).includes(name);
	if (!Object.hasOwn(extensions, trace.kind) || !incomings.includes(trace.incoming) || !trace.events.every((event) => isKnown(event.act)))
		throw new Error(
			`invalid trace "${text}": expected [link] <kind> <incoming> <step>=<act>…; kinds ${Object.keys(extensions).join(" ")}; incoming ${incomings.join(" ")}; acts ${[...actNames, ...widerActs].join(" ")}`,
		);
	return trace;
}
