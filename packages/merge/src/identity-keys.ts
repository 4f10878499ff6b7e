/** Names that programs generate, so that no two elements share one by chance. */
export const GENERATED_NAMES: readonly string[] = ["id", "_id", "uuid", "guid"];

/** Names that people choose, and change. A cell of a notebook gives one result a run: two runs of it made one each. */
export const GIVEN_NAMES: readonly string[] = ["key", "code", "name", "slug", "path", "url", "output_type"];

/** Members that name an element of a list, the most specific first. */
export const IDENTITY_KEYS: readonly string[] = [...GENERATED_NAMES, ...GIVEN_NAMES];

/** To find the elements that a side renamed or changed, more pairs than this are not compared. */
export const PAIRING_LIMIT = 2_500;
