import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, type CallToolResult, ListToolsRequestSchema, type Tool } from "@modelcontextprotocol/sdk/types.js";
import { ExitCode } from "@robust-sync/service/exit-codes";
import { printable } from "@robust-sync/service/printable";
import { version } from "@robust-sync/service/version";
import { listMessages, locateWorkspace, WorkspacePaths } from "@robust-sync/workspace";
import * as z from "zod/mini";
import type { Options } from "./commands/options.ts";

/** A program that hangs must not hang its agent. */
const programTimeoutMs = 15 * 60_000;
const maxOutputBytes = 8 * 1_048_576;
/** The most of one answer that an agent gets. */
const maxAnswerBytes = 256 * 1_024;
const maxMessageBytes = 1_048_576;

/** An argument of a process ends at its first NUL. */
const noNul = z.refine<string>((value) => !value.includes("\0"), "NUL characters are not accepted");
const text = z.string().check(z.minLength(1), z.maxLength(4_096), noNul);
const paths = z.array(text).check(z.maxLength(1_000));

interface Definition {
	readonly description: string;
	/** It changes nothing. */
	readonly readOnly: boolean;
	readonly input: z.ZodMiniObject;
	/** The arguments of robust-sync, and its standard input; or an answer of its own. */
	run(input: never): { args: readonly string[]; stdin?: string } | { answer: unknown };
}

/** These tools finish even if the client cancels the call. */
const isEnded: ReadonlySet<string> = new Set(["restore", "undo", "annotate", "send"]);

/** They can remove content of a file. */
const destructive: ReadonlySet<string> = new Set(["restore", "undo"]);

/** An option of the command line, if its argument is present; its value cannot be read as an option. */
const option = (flag: string, value: string | number | undefined): string[] => (value === undefined ? [] : [`${flag}=${value}`]);
/** Operands, which cannot be read as options. */
const operands = (names: readonly string[] | undefined): string[] => (names === undefined || names.length === 0 ? [] : ["--", ...names]);

/** Makes a name a path, even if it looks like a commit. */
const asPath = (name: string) => (name.startsWith("/") ? name : `./${name}`);

/** The tools, by name. Each runs robust-sync itself, so that an agent gets the same as a person. */
function tools(workspace: WorkspacePaths): Readonly<Record<string, Definition>> {
	return {
		status: {
			description: "Show the current state of this node: last sync, branch, head, last error, and files that are left out.",
			readOnly: true,
			input: z.strictObject({}),
			run: () => ({ args: ["--status"] }),
		},
		history: {
			description: "Show who changed what, newest first. Times are durations (2h), dates or commits; paths are relative to the workspace.",
			readOnly: true,
			input: z.strictObject({
				paths: z.optional(paths),
				since: z.optional(text),
				until: z.optional(text),
				by: z.optional(text),
				agent: z.optional(text),
				run: z.optional(text),
				limit: z.optional(z.int().check(z.gte(1), z.lte(1_000))),
				diff: z.optional(z.boolean()),
			}),
			run: (input: {
				paths?: string[];
				since?: string;
				until?: string;
				by?: string;
				agent?: string;
				run?: string;
				limit?: number;
				diff?: boolean;
			}) => ({
				args: [
					"--history",
					...option("--since", input.since),
					...option("--until", input.until),
					...option("--by", input.by),
					...option("--agent", input.agent),
					...option("--run", input.run),
					...option("--limit", input.limit ?? 20),
					...(input.diff ? ["--diff"] : []),
					...operands(input.paths),
				],
			}),
		},
		restore: {
			description: "Restore files or directories as they were at a time. With dry_run (the default) only report the plan.",
			readOnly: false,
			input: z.strictObject({
				paths: paths.check(z.minLength(1)),
				at: text,
				deleted_only: z.optional(z.boolean()),
				dry_run: z._default(z.boolean(), true),
			}),
			run: (input: { paths: string[]; at: string; deleted_only?: boolean; dry_run: boolean }) => ({
				args: [
					"--restore",
					...option("--at", input.at),
					...(input.deleted_only ? ["--deleted-only"] : []),
					...(input.dry_run ? ["--dry-run"] : []),
					...operands(input.paths),
				],
			}),
		},
		undo: {
			description:
				"Undo changes of a node, a period or single commits, and keep later work. With dry_run (the default) only report the plan. A node without since, until or paths needs all: true.",
			readOnly: false,
			input: z.strictObject({
				commits: z.optional(z.array(z.string().check(z.regex(/^[0-9a-f]{7,64}$/))).check(z.maxLength(1_000))),
				paths: z.optional(paths),
				by: z.optional(text),
				since: z.optional(text),
				until: z.optional(text),
				all: z.optional(z.boolean()),
				dry_run: z._default(z.boolean(), true),
			}),
			run: (input: {
				commits?: string[];
				paths?: string[];
				by?: string;
				since?: string;
				until?: string;
				all?: boolean;
				dry_run: boolean;
			}) => ({
				args: [
					"--undo",
					...(input.all ? ["--all"] : []),
					...option("--by", input.by),
					...option("--since", input.since),
					...option("--until", input.until),
					...(input.dry_run ? ["--dry-run"] : []),
					...operands([...(input.commits ?? []), ...(input.paths ?? []).map(asPath)]),
				],
			}),
		},
		annotate: {
			description: "Describe the next change of this node; the history shows it.",
			readOnly: false,
			input: z.strictObject({ text, agent: z.optional(text), run: z.optional(text) }),
			run: (input: { text: string; agent?: string; run?: string }) => ({
				args: [`--annotate=${input.text}`, ...option("--agent", input.agent), ...option("--run", input.run)],
			}),
		},
		send: {
			description: "Send a message to the other nodes; it arrives as a file in messages/<this node>/, exactly once.",
			readOnly: false,
			input: z.strictObject({ message: z.string().check(z.minLength(1), z.maxLength(maxMessageBytes)) }),
			run: (input: { message: string }) => ({ args: ["--send", "-"], stdin: input.message }),
		},
		messages: {
			description: "List messages of the nodes, newest first: files below messages/<node>/, to be read there.",
			readOnly: true,
			input: z.strictObject({ node: z.optional(text), limit: z.optional(z.int().check(z.gte(1), z.lte(1_000))) }),
			run: (input: { node?: string; limit?: number }) => ({
				answer: { messages: listMessages(workspace, { node: input.node, limit: input.limit ?? 50 }) },
			}),
		},
		wait: {
			description: "Return when everything written before is on the hub, and with peers also on these nodes.",
			// Without a running instance, it runs cycles: they commit, push and check out.
			readOnly: false,
			input: z.strictObject({
				peers: z.optional(z.array(text).check(z.maxLength(1_000))),
				timeout_seconds: z.optional(z.number().check(z.gte(0), z.lte(600))),
			}),
			run: (input: { peers?: string[]; timeout_seconds?: number }) => ({
				args: [
					"--wait",
					...(input.peers === undefined || input.peers.length === 0 ? [] : [`--peers=${input.peers.join(",")}`]),
					...option("--timeout", input.timeout_seconds),
				],
			}),
		},
	};
}

/**
 * Runs robust-sync as a person would. An answer counts as one even with exit code 1 or 3.
 * @param signal stops the run: the client has cancelled the call or has disconnected
 */
function runItself(
	workspace: WorkspacePaths,
	{ args, stdin }: { args: readonly string[]; stdin?: string },
	signal: AbortSignal | null,
): Promise<CallToolResult> {
	const program = realpathSync(process.argv[1] ?? "");
	return new Promise((resolve) => {
		const child = execFile(
			process.execPath,
			[program, "--json", `--workspace=${workspace.root}`, ...args],
			{
				timeout: programTimeoutMs,
				maxBuffer: maxOutputBytes,
				env: { ...process.env, NO_COLOR: "1" },
				// Paths are relative to the workspace, independent of the server's working directory, so that one tool's answer is valid input for another.
				cwd: workspace.root,
				...(signal === null ? {} : { signal }),
			},
			(error, stdout, stderr) => {
				const failed = error !== null && stdout.trim() === "";
				const output = [stdout.trim(), ...(error === null ? [] : [stderr.trim()])].filter(Boolean).join("\n");
				resolve(
					answerOf(output === "" ? (error?.message.split("\n")[0] ?? "done") : output, failed || (error !== null && stderr.trim() !== "")),
				);
			},
		);
		child.stdin?.on("error", () => undefined);
		child.stdin?.end(stdin ?? "");
	});
}

function answerOf(output: string, isError: boolean): CallToolResult {
	const cut = output.length > maxAnswerBytes ? `${output.slice(0, maxAnswerBytes)}\n… (cut: ask for less)` : output;
	return { content: [{ type: "text", text: cut }], ...(isError ? { isError } : {}) };
}

/**
 * Serves the Model Context Protocol on standard input and output until the client disconnects.
 * @see https://modelcontextprotocol.io/specification
 * @returns the exit code
 */
export async function mcp(options: Options): Promise<number> {
	const workspace = new WorkspacePaths(locateWorkspace({ flag: options.workspace, needsConsent: true }));
	const all = tools(workspace);
	const server = new Server({ name: "robust-sync", version }, { capabilities: { tools: {} } });
	server.setRequestHandler(ListToolsRequestSchema, () => ({
		tools: Object.entries(all).map(
			([name, { description, readOnly, input }]): Tool => ({
				name,
				description,
				inputSchema: z.toJSONSchema(input, { io: "input" }) as Tool["inputSchema"],
				annotations: { readOnlyHint: readOnly, destructiveHint: destructive.has(name) },
			}),
		),
	}));
	const gone = new AbortController();
	server.setRequestHandler(CallToolRequestSchema, async ({ params: { name, arguments: given = {} } }, { signal }) => {
		const tool = Object.hasOwn(all, name) ? all[name] : undefined;
		if (tool === undefined) return answerOf(`there is no tool '${printable(name)}': ${Object.keys(all).join(", ")}`, true);
		const parsed = tool.input.safeParse(given);
		if (!parsed.success) {
			const issue = parsed.error.issues[0];
			const known = Object.keys(tool.input.def.shape).join(", ") || "none";
			const hint = issue?.code === "unrecognized_keys" ? ` (accepted: ${known})` : "";
			return answerOf(`${issue?.path.join(".") || "the arguments"}: ${issue?.message ?? "not as expected"}${hint}`, true);
		}
		try {
			const asked = tool.run(parsed.data as never);
			if ("answer" in asked) return answerOf(JSON.stringify(asked.answer), false);
			return await runItself(workspace, asked, isEnded.has(name) ? null : AbortSignal.any([signal, gone.signal]));
		} catch (error) {
			return answerOf(error instanceof Error ? error.message : String(error), true);
		}
	});
	const transport = new StdioServerTransport();
	const closed = new Promise<void>((resolve) => {
		server.onclose = resolve;
		process.stdin.on("close", resolve);
	});
	await server.connect(transport);
	await closed;
	gone.abort();
	await server.close();
	return ExitCode.ok;
}
