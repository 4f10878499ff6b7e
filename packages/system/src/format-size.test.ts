import { expect, test } from "@jest/globals";
import { formatSize } from "./format-size.ts";

test.each([
	[0, "0 bytes"],
	[1, "1 byte"],
	[999, "999 bytes"],
	[1_000, "1.0 kB"],
	[1_536, "1.5 kB"],
	[999_949, "999.9 kB"],
	[999_950, "1.0 MB"],
	[95_000_000, "95.0 MB"],
	[3e9, "3.0 GB"],
	[2.5e12, "2.5 TB"],
	[7e18, "7000.0 PB"],
])("size for people: %d → %s", (bytes, text) => {
	expect(formatSize(bytes)).toBe(text);
});
