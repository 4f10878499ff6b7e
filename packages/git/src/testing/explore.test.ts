import { expect, test } from "@jest/globals";
import { explore, type Outcome, parseTrace, traceText } from "./explore/explore-model.ts";
import { eachCut, eachFault, eachSingle } from "./explore/schedules.ts";

test("explorer in memory: a trace as text → the same trace, or the syntax", () => {
	for (const text of ["change", "link delete 17=append 40=kill", "parent end=append-old"]) expect(traceText(parseTrace(text))).toBe(text);
	expect(() => parseTrace("novel 3=append")).toThrow('invalid trace "novel 3=append": expected [link] change|');
});

test("explorer in memory: one act or kill at each call of a checkout → nothing lost", async () => {
	const failed: Outcome[] = [];
	let count = 0;
	await eachSingle(["exchange"], (outcome) => {
		count++;
		if (outcome.problems.length > 0) failed.push(outcome);
	});
	expect(failed.map(({ trace, problems }) => [traceText(trace), problems])).toEqual([]);
	expect(count).toBeGreaterThan(5_000);
}, 60_000);

// The slow suite has both with links in place of exchanges too, and pairs of them and of acts.
test.each([
	["a full, broken, read-only or closed disk", eachFault, 1_500],
	["a power cut at each call, all outcomes", eachCut, 800],
] as const)(
	"explorer in memory: %s → nothing lost",
	async (_what, each, atLeast) => {
		const failed: Outcome[] = [];
		let count = 0;
		await each(["exchange"], (outcome) => {
			count++;
			if (outcome.problems.length > 0) failed.push(outcome);
		});
		expect(failed.map(({ trace, problems }) => [traceText(trace), problems])).toEqual([]);
		expect(count).toBeGreaterThan(atLeast);
	},
	60_000,
);

// Each of these failed once.
test.each([
	// A program wrote as many bytes in place, between our read of the replaced file and our look at its time.
	"change 55=patch-old",
	"link change 62=patch-old",
	// The file vanished while it was compared with the incoming one.
	"change 31=rename 49=unlink-next",
	// A file that was made again in the moment of the swap lost its executable bit.
	"change 43=unlink-next 45=chmod",
	// A directory had taken the place of the file, and the one above it was gone: there was no place for it any more.
	"delete 30=directory 30=directory-away",
	"link link 44=directory 45=directory-gone",
	// The replaced file could not be read, and nothing recorded it.
	"change 45=patch-old 54=EIO",
	"link 10=unlink-next 48=EACCES",
	// So it was with a directory that was in its place.
	"link change 53=directory 59=EACCES",
	// A kill left part of the version of a missing file, as if a program had written it.
	"change 15=rename-away 48=kill",
	// The process was killed while it returned the file of a held path: the next one took the path for done, and the old file for a later write.
	"delete 36=EIO 44=kill",
	"link link 52=EIO 64=kill",
	// A program made the old file executable right before the swap, and the process ended, or met a fault, before the new file was.
	"change 53=chmod 56=kill",
	"change 53=chmod 56=EIO",
	"link change 0=chmod 70=kill",
	// A program had removed a script, and the process ended, or met a fault, before the new one was placed: the version kept for it was not executable.
	"script 0=unlink 56=kill",
	"script 0=unlink 57=EACCES",
	// The process was killed while a file of its own was in a directory that hands its group down: it stayed there, as if a program had made it.
	"inherit 33=kill",
	// After a power cut the old file could be back at its path, and the removed one: as if a program had written it.
	"change end=cut-0",
	"delete end=cut-0",
	// So the executable bit could be lost.
	"change 0=chmod end=cut-0",
	// Half of the copy of a file with another name counted as a program's write.
	"change 0=link-beside 74=cut-1",
])("explorer in memory: %s → nothing lost", async (text) => {
	const { problems, done, trace } = await explore(parseTrace(text));
	expect(problems).toEqual([]);
	expect(done).toBe(trace.events.length);
});
