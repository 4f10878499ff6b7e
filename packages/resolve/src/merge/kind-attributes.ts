import { checkAttributes, type GitPath, gitPathBytes, gitPathOf, type ObjectReader, type Oid, type Repository } from "@robust-sync/git";
import type { AttributeKind } from "@robust-sync/merge";

const fileName = ".gitattributes";
const kinds: readonly string[] = ["json", "records", "prose", "code", "later"] satisfies AttributeKind[];

/** Whether a path is a file of git attributes. */
export function isAttributesFile(path: GitPath): boolean {
	return path === fileName || path.endsWith(`/${fileName}`);
}

/** Every place where attributes of these paths may be defined (gitattributes(5)): the directories above each. */
function attributeFilesAbove(paths: Iterable<GitPath>): GitPath[] {
	const files = new Set<string>([fileName]);
	for (const path of paths) {
		for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
			const file = path.slice(0, slash + 1) + fileName;
			if (files.has(file)) break;
			files.add(file);
		}
	}
	return [...files].map(gitPathOf);
}

function kindFrom(values: ReadonlyMap<string, string>): AttributeKind | undefined {
	const asked = values.get("robust-sync");
	if (asked !== undefined && kinds.includes(asked)) return asked as AttributeKind;
	const merge = values.get("merge");
	if (merge === "union") return "records";
	if (merge === "unset" || merge === "binary" || values.get("binary") === "set") return "later";
	return undefined;
}

/**
 * The merge kind that git attributes set, by path; paths without one are left out. The attributes are those of the merge result: those of
 * the tree where at most one side changed them, and the merged ones where both did.
 * @param resolved contents of `.gitattributes` files that were merged themselves; null: not in the result
 */
export async function kindAttributes(
	store: Repository,
	reader: ObjectReader,
	tree: Oid,
	resolved: ReadonlyMap<GitPath, Uint8Array | null>,
	paths: readonly GitPath[],
): Promise<Map<GitPath, AttributeKind>> {
	const found = new Map<GitPath, Uint8Array>();
	const inTree = attributeFilesAbove(paths).filter((file) => !resolved.has(file));
	await reader.each(
		inTree.map((file) => Buffer.concat([Buffer.from(`${tree}:`), gitPathBytes(file)])),
		(info, content, index) => {
			if (info?.type === "blob" && content) found.set(inTree[index]!, Buffer.from(content));
		},
	);
	for (const [file, content] of resolved) if (content) found.set(file, content);
	const kindsByPath = new Map<GitPath, AttributeKind>();
	// Most attribute files are about line ends: they cost no process.
	if (![...found.values()].some((content) => /robust-sync|merge|binary/.test(Buffer.from(content).toString("latin1")))) return kindsByPath;
	for (const [path, values] of await checkAttributes(store, found, ["robust-sync", "merge", "binary"], paths)) {
		const kind = kindFrom(values);
		if (kind) kindsByPath.set(path, kind);
	}
	return kindsByPath;
}
