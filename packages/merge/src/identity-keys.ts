/** Names that programs generate, so that no two elements share one by chance. */
export const generatedNames: readonly string[] = ["id", "_id", "uuid", "guid"];

/** Names that people choose, and change. A cell of a notebook gives one result a run: two runs of it made one each. */
export const givenNames: readonly string[] = ["key", "code", "name", "slug", "path", "url", "output_type"];

/** Members that name an element of a list, the most specific first. */
export const identityKeys: readonly string[] = [...generatedNames, ...givenNames];

/** To find the elements that a side renamed or changed, more pairs than this are not compared. */
export const pairingLimit = 2_500;
