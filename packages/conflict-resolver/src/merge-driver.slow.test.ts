import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { readCases } from "@robust-sync/merge/testing/cases";
import { bundleExecutable } from "./fixture/bundle.ts";
import { Person } from "./fixture/person.ts";

/** Less of it where time is limited (.ci/run): from 0 to 1. */
const share = Number(process.env.SLOW_SHARE ?? 1);

// The hand-written cases of packages/merge a third time: through the driver, in one real `git merge`.

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-driver-bundle-"));
const person = new Person();
afterAll(async () => {
	fs.rmSync(directory, { recursive: true });
	await person.remove();
});

test("merge driver: every case in a person's git merge → the same bytes", () => {
	const bundle = bundleExecutable(directory);
	const cases = readCases().filter((_, index) => index % Math.ceil(1 / share) === 0);
	const pathOf = ({ name, path: file }: (typeof cases)[number]) => `${name.replaceAll(" ", "-")}/${file}`;
	const files = (side: "base" | "ours" | "theirs", later: readonly string[]) =>
		Object.fromEntries(
			cases.flatMap((one) => {
				const content = one[side];
				return content === null || !later.includes(one.later) ? [] : [[pathOf(one), Buffer.from(content)]];
			}),
		);
	for (const one of cases) {
		if (one.attribute) person.write({ [pathOf(one).replace(/[^/]*$/, ".gitattributes")]: `* robust-sync=${one.attribute}\n` });
	}
	let minute = 0;
	const commit = (contents: Record<string, Buffer>) => {
		person.write(contents);
		person.git("add", "--all");
		// Each a minute after the one before: which side is the later one follows from it.
		const when = `@${1_800_000_000 + 60 * ++minute} +0000`;
		spawnSync("git", ["-c", "user.name=P", "-c", "user.email=p@example.org", "commit", "-q", "--allow-empty", "-m", "c"], {
			cwd: person.workspace,
			env: { ...process.env, GIT_COMMITTER_DATE: when, GIT_AUTHOR_DATE: when },
		});
	};
	commit(files("base", ["ours", "theirs"]));
	person.git("branch", "theirs");
	commit(files("ours", ["theirs"]));
	person.git("checkout", "-q", "theirs");
	commit(files("theirs", ["ours", "theirs"]));
	person.git("checkout", "-q", "main");
	commit(files("ours", ["ours"]));
	spawnSync(process.execPath, [bundle, "--install-driver"], { cwd: person.workspace });
	person.git("merge", "-q", "theirs");
	expect(person.status()).toBe("");
	const wrong = cases.filter((one) => !fs.readFileSync(person.scratch.path("mine", pathOf(one))).equals(Buffer.from(one.expected)));
	expect(wrong.map(({ name }) => name)).toEqual([]);
});
