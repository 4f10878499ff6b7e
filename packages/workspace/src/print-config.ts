// The configuration that services of a workspace would start with: `node dist/print-config.mjs FILE` prints one "NAME<TAB>value" a line
// for deploy/setup.sh. Values are those of FILE, an .sync_env, and the defaults; secrets are checked and not printed.
import { ConfigError, parseConfig, secretVariables } from "./config.ts";
import { EnvFileError, readEnvFile } from "./env-file.ts";

try {
	const written = readEnvFile(process.argv[2] ?? "");
	const config = parseConfig(written);
	const effective = {
		...written,
		NODE_NAME: config.nodeName,
		SYNC_REMOTE: config.syncRemote,
		SYNC_BRANCH: config.syncBranch ?? "",
		HEARTBEAT_PORT: config.heartbeatPort,
		HEALTH_PORT: config.healthPort,
		HEALTH_HOST: config.healthHost,
		MEMORY_LIMIT_MB: config.memoryLimitMb,
	};
	for (const [name, value] of Object.entries(effective)) {
		if (!secretVariables.has(name)) process.stdout.write(`${name}\t${value}\n`);
	}
} catch (error) {
	if (!(error instanceof ConfigError || error instanceof EnvFileError)) throw error;
	process.stderr.write(`${error.message}\n`);
	process.exitCode = error.exitCode;
}
