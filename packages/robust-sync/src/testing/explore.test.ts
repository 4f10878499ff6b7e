import { expect, test } from "@jest/globals";
import { parseTrace, traceText } from "./explore/traces.ts";

test("explorer: a trace as text → the same trace, or the syntax", () => {
	for (const text of ["notes change 1:c7=append", "link json delete m9=kill end=rename", "binary create"])
		expect(traceText(parseTrace(text))).toBe(text);
	expect(() => parseTrace("notes change c7=explode")).toThrow(/^invalid trace "notes change c7=explode": expected \[link\] <kind>/);
	expect(() => parseTrace("novel change")).toThrow("invalid trace");
});
