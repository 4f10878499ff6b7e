import type { CycleContext } from "./cycle-context.ts";

/** Author or committer by git's rules (git-commit(1), COMMIT INFORMATION); null: it cannot be written unchanged. */
function identityOf({ repository, config }: CycleContext, role: "author" | "committer"): string | null {
	const get = (field: "name" | "email", fallback: string) =>
		repository.env[`GIT_${role}_${field}`.toUpperCase()] ||
		repository.config.get(`${role}.${field}`) ||
		repository.config.get(`user.${field}`) ||
		fallback;
	const [name, email] = [get("name", config.nodeName), get("email", `${config.nodeName}@robust-sync`)];
	return /[<>\n\0]/.test(name + email) ? null : `${name} <${email}>`;
}

/** Both, for a commit that is written directly: the node's, if the user's own name cannot be written. */
export function ownIdentity(context: CycleContext): { readonly author: string; readonly identity: string } {
	const { nodeName } = context.config;
	const fallback = `${nodeName} <${nodeName}@robust-sync>`;
	return { author: identityOf(context, "author") ?? fallback, identity: identityOf(context, "committer") ?? fallback };
}
