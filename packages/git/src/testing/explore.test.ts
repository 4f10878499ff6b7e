import { expect, test } from "@jest/globals";
import { explore, type Outcome, parseTrace, traceText, withFault } from "./explore/explore-model.ts";
import { eachFault, eachPair, eachSingle } from "./explore/schedules.ts";

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

test("explorer in memory: a full, broken, read-only or closed disk → nothing lost", async () => {
	const failed: Outcome[] = [];
	let count = 0;
	const report = (outcome: Outcome) => {
		count++;
		if (outcome.problems.length > 0) failed.push(outcome);
	};
	await eachFault(["exchange", "link"], report);
	await eachPair(3_000, 5, report, undefined, withFault);
	expect(failed.map(({ trace, problems }) => [traceText(trace), problems])).toEqual([]);
	expect(count).toBeGreaterThan(6_500);
}, 60_000);

// Each of these failed once.
test.each([
	// A program wrote as many bytes in place, between our read of the replaced file and our look at its time.
	"change 55=patch-old",
	"link change 62=patch-old",
	// The file vanished while it was compared with the incoming one.
	"change 24=rename 42=unlink-next",
	// A file that was made again in the moment of the swap lost its executable bit.
	"change 36=unlink-next 40=chmod",
	// A directory had taken the place of the file, and the one above it was gone: there was no place for it any more.
	"delete 27=directory 29=directory-away",
	"link link 39=directory 46=directory-gone",
	// The replaced file could not be read, and nothing recorded it.
	"change 44=patch-old 54=EIO",
	"link 16=unlink-next 48=EACCES",
	// So it was with a directory that was in its place.
	"link change 53=directory 59=EACCES",
	// A kill left part of the version of a missing file, as if a program had written it.
	"change 21=rename-away 48=kill",
])("explorer in memory: %s → nothing lost", async (text) => {
	const { problems, done, trace } = await explore(parseTrace(text));
	expect(problems).toEqual([]);
	expect(done).toBe(trace.events.length);
});
