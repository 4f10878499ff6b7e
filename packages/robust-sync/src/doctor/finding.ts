/** One line of `robust-sync --doctor`. */
export interface Finding {
	/** The subject of the check; a few lines may have one name. */
	readonly check: string;
	readonly status: "ok" | "warning" | "failed";
	readonly message: string;
	/** The command, or the step, that ends the problem; null: there is none. */
	readonly fix: string | null;
}

export const ok = (check: string, message: string): Finding => ({ check, status: "ok", message, fix: null });
export const warning = (check: string, message: string, fix: string): Finding => ({ check, status: "warning", message, fix });
export const failed = (check: string, message: string, fix: string): Finding => ({ check, status: "failed", message, fix });
