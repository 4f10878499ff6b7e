import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "@jest/globals";
import type { Logger } from "@robust-sync/service";
import { Chalk } from "chalk";
import { noContent } from "./content.ts";
import { LiveTable } from "./live-table.ts";
import { peerTable } from "./peer-table.ts";
import type { PeerView } from "./peer-view.ts";
import { peerState } from "./state-files.ts";

const now = Date.UTC(2026, 1, 18, 2);
const view = (fields: Partial<PeerView>): PeerView => ({
	name: "chad",
	address: "192.0.2.7:8765",
	status: "alive",
	reason: null,
	cause: null,
	receivedAtMs: now - 4_000,
	sequence: 1,
	bootId: "00",
	missed: 0,
	rttMs: 1.26,
	clockOffsetMs: -12_500,
	phi: 0.1,
	hearsUs: true,
	content: { ...noContent, head: "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", syncStatus: "idle", messagesPending: 0 },
	...fields,
});

test("peer table: a peer → one line with its state, columns aligned", () => {
	const rows = [
		view({}),
		view({
			name: "atlas-with-a-long-name",
			status: "down",
			receivedAtMs: null,
			rttMs: null,
			clockOffsetMs: null,
			hearsUs: null,
			content: noContent,
			reason: "no heartbeat for 180 s",
		}),
	];
	expect(
		peerTable(
			rows.map((row) => peerState(row, true)),
			now,
			new Chalk({ level: 0 }),
		),
	).toEqual([
		"peer                    status  heard  rtt     clock  hears us  sync  head     waiting",
		"chad                    alive   4 s    1.3 ms  -13 s  yes       idle  a94a8fe  0        192.0.2.7:8765",
		"atlas-with-a-long-name  down    never  -       -      -         -     -        -        no heartbeat for 180 s",
	]);
});

test("peer table: a narrow terminal → lines end at its edge", () => {
	for (const line of peerTable([peerState(view({}), true)], now, new Chalk({ level: 0 }), 40)) expect(line.length).toBeLessThanOrEqual(40);
});

test("peer table: on a terminal → stays below the log lines", () => {
	const written: string[] = [];
	const stream = Object.assign(new PassThrough(), { columns: 100, rows: 24, isTTY: true }) as unknown as NodeJS.WriteStream;
	stream.on("data", (chunk) => written.push(String(chunk)));
	const table = new LiveTable(stream, () => [view({})]);
	const log = (message: string) => stream.write(`${message}\n`);
	const plain: Logger = {
		debug: log,
		info: log,
		warn: log,
		error: log,
		flush: async () => {},
		addSecret() {},
		setLevel() {},
		close: async () => {},
	};
	const logger = table.around(plain);
	logger.info("before");
	table.start();
	logger.warn("during");
	table.stop();
	logger.info("after");
	const erase = "\x1b[2A\r\x1b[J";
	expect(written[0]).toBe("before\n");
	expect(written[1]).toContain("chad");
	expect(written.slice(2, 4)).toEqual([erase, "during\n"]);
	expect(written[4]).toContain("chad");
	expect(written.slice(5)).toEqual(["after\n"]);
});

test("peer table: a terminal without a size → as one of 80 columns and 24 lines", () => {
	const written: string[] = [];
	const stream = Object.assign(new PassThrough(), { columns: 0, rows: 0, isTTY: true }) as unknown as NodeJS.WriteStream;
	stream.on("data", (chunk) => written.push(String(chunk)));
	const table = new LiveTable(stream, () => [view({})]);
	table.start();
	table.stop();
	const lines = stripVTControlCharacters(written.join("")).trimEnd().split("\n");
	expect(lines).toHaveLength(2);
	expect(lines[1]).toContain("chad");
	expect(lines[1]!.length).toBeLessThan(80);
});
