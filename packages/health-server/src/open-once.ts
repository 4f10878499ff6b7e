import { openRepository, type Repository } from "@robust-sync/git";

/** The repository in `root`, opened at the first query, and again after a failure. */
export function openOnce(root: string, node: string): () => Promise<Repository> {
	let opened: Promise<Repository> | null = null;
	return () => {
		opened ??= openRepository({ directory: root, node }).catch((error: unknown) => {
			opened = null;
			throw error;
		});
		return opened;
	};
}
