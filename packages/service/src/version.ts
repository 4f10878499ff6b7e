declare const __ROBUST_SYNC_VERSION__: string | undefined;

/** The version that the build put into the bundle; "0.0.0-dev" in source that was never bundled. */
export const version: string = typeof __ROBUST_SYNC_VERSION__ === "string" ? __ROBUST_SYNC_VERSION__ : "0.0.0-dev";
