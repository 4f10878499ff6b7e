import { knowsCommit, type Repository, SshConnections } from "@robust-sync/git";
import type { WorkProgress } from "@robust-sync/service/work-progress";
import { fileStamp } from "@robust-sync/system/file-stamp";
import { type Config, ensureExcluded, type WorkspacePaths } from "@robust-sync/workspace";
import { openWorkspaceRepository } from "../context/cycle-context.ts";

/** The repository of a workspace, opened once and kept with its ssh connections. */
export class RepositoryHandle {
	readonly #paths: WorkspacePaths;
	readonly #work: WorkProgress;
	readonly #ssh = new SshConnections();
	#repository: Repository | undefined;
	#stamp: string | null = null;

	/** @param work receives the progress of long commands */
	constructor(paths: WorkspacePaths, work: WorkProgress) {
		this.#paths = paths;
		this.#work = work;
	}

	/** Opens the repository; again when its configuration changed. @throws SyncError, GitError */
	async open(config: Config): Promise<Repository> {
		if (this.#repository && fileStamp(`${this.#repository.commonDirectory}/config`) === this.#stamp) return this.#repository;
		const repository = await openWorkspaceRepository(this.#paths, config, { ssh: this.#ssh, onProgress: this.#work.report });
		ensureExcluded(this.#paths.root);
		this.#stamp = fileStamp(`${repository.commonDirectory}/config`);
		this.#repository = repository;
		return repository;
	}

	/** The next `open` opens it again. */
	forget(): void {
		this.#repository = undefined;
	}

	/** After a failure: also closes the connections, because one of them may hang. */
	async forgetConnections(): Promise<void> {
		this.forget();
		await this.#ssh.closeAll();
	}

	/** Whether a commit is here; false also if the repository is not open. */
	async has(commit: string): Promise<boolean> {
		return this.#repository !== undefined && (await knowsCommit(this.#repository, commit).catch(() => false));
	}

	/** Closes all connections. */
	async dispose(): Promise<void> {
		await this.#ssh.dispose();
	}
}
