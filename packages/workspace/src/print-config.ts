// Prints the configuration that services of a workspace would start with: `node dist/print-config.mjs FILE`, one "NAME<TAB>value" a line,
// for deploy/setup.sh. Values are those of FILE, which is a .sync_env, and the defaults; secrets are checked and not printed. Each invalid
// value is one line on standard error; the exit code is 2 then.
import { ConfigError, checkConfig, secretVariables } from "./config.ts";
import { EnvFileError, readEnvFile } from "./env-file.ts";

try {
	const written = readEnvFile(process.argv[2] ?? "");
	const { config, errors } = checkConfig(written);
	for (const { message, exitCode } of errors) {
		process.stderr.write(`${message}\n`);
		process.exitCode = exitCode;
	}
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
	if (errors.length === 0) {
		for (const [name, value] of Object.entries(effective)) {
			// A value of several lines must not look like several variables.
			if (!secretVariables.has(name) && !/\p{Cc}/u.test(String(value))) process.stdout.write(`${name}\t${value}\n`);
		}
	}
} catch (error) {
	if (!(error instanceof ConfigError || error instanceof EnvFileError)) throw error;
	process.stderr.write(`${error.message}\n`);
	process.exitCode = error.exitCode;
}
