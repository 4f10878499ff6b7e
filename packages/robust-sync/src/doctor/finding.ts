/** One line of `robust-sync --doctor`. */
export interface Finding {
	/** What was looked at; a few lines may have one name. */
	readonly check: string;
	readonly status: "ok" | "warning" | "failed";
	readonly message: string;
	/** The command, or the step, that fixes it; null where there is nothing to fix. */
	readonly fix: string | null;
}

export const ok = (check: string, message: string): Finding => ({ check, status: "ok", message, fix: null });
export const warning = (check: string, message: string, fix: string): Finding => ({ check, status: "warning", message, fix });
export const failed = (check: string, message: string, fix: string): Finding => ({ check, status: "failed", message, fix });
