declare const __ROBUST_SYNC_VERSION__: string | undefined;
declare const __ROBUST_SYNC_COMMIT__: string | undefined;

/** The version that the build put into the bundle; "0.0.0-dev" in source that was never bundled. */
export const version: string = typeof __ROBUST_SYNC_VERSION__ === "string" ? __ROBUST_SYNC_VERSION__ : "0.0.0-dev";

/** The commit that it was built from, abbreviated; "" if unknown. */
const commit: string = typeof __ROBUST_SYNC_COMMIT__ === "string" ? __ROBUST_SYNC_COMMIT__ : "";

/** The output of --version: "robust-sync 1.2.0 (0123456789ab)". */
export function versionLine(name: string): string {
	return `${name} ${version}${commit === "" ? "" : ` (${commit})`}`;
}
