const slow = process.env.ROBUST_SYNC_SUITE === "slow";
const systemd = process.env.ROBUST_SYNC_SUITE === "systemd";

/** One suite a run, by the file's name: *.test.ts (fast), *.slow.test.ts, *.systemd.test.ts. */
export default {
	testEnvironment: "node",
	roots: ["<rootDir>/packages", "<rootDir>/deploy", "<rootDir>/bin"],
	testMatch: systemd ? ["**/*.systemd.test.ts"] : slow ? ["**/*.slow.test.ts"] : ["**/*.test.ts"],
	testPathIgnorePatterns: ["/node_modules/", ...(slow || systemd ? [] : ["\\.slow\\.test\\.ts$", "\\.systemd\\.test\\.ts$"])],
	extensionsToTreatAsEsm: [".ts", ".tsx"],
	transform: {
		"\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2022" }, module: { type: "es6" } }],
		// Pages are written as TSX, with a factory of our own (packages/health-server/src/page/vnode.ts).
		"\\.tsx$": [
			"@swc/jest",
			{
				jsc: { parser: { syntax: "typescript", tsx: true }, target: "es2022", transform: { react: { runtime: "classic", pragma: "h" } } },
				module: { type: "es6" },
			},
		],
	},
	testTimeout: slow || systemd ? 1_800_000 : 60_000,
	// Slow tests wait most of the time: for daemons, timeouts, other programs.
	maxWorkers: systemd ? 1 : slow ? 3 : 2,
	watchman: false,
};
