import { describe, test } from "@jest/globals";
import { holds } from "./testing/holds.ts";
import { families } from "./testing/triples.ts";

/** .ci/run, whose time is limited, asks for fewer. */
const runs = Number(process.env.MERGE_RUNS ?? 50_000);

describe("a merge of generated files keeps every invariant:", () => {
	for (const [name, triples] of Object.entries(families)) test(name, () => holds(name, triples, runs));
});
