import { describe, test } from "@jest/globals";
import { holds } from "./testing/holds.ts";
import { families } from "./testing/triples.ts";

describe("a merge of generated files keeps every invariant:", () => {
	for (const [name, triples] of Object.entries(families)) test(name, () => holds(name, triples, 150));
});
