import { expect, test } from "@jest/globals";
import { explore, type Outcome, parseTrace, traceText } from "./explore/explore-model.ts";
import { eachSingle } from "./explore/schedules.ts";

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
])("explorer in memory: %s → nothing lost", async (text) => {
	const { problems, done, trace } = await explore(parseTrace(text));
	expect(problems).toEqual([]);
	expect(done).toBe(trace.events.length);
});
