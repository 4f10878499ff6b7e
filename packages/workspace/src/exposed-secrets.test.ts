import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { exposedSecrets } from "./exposed-secrets.ts";

test.each([
	[0o600, "export HEARTBEAT_KEY=0123456789abcdef", null],
	[0o644, "export NODE_NAME=helios", null],
	[0o644, "export HEARTBEAT_KEY=", null],
	[0o644, "export HEARTBEAT_KEY=0123456789abcdef", /^\.sync_env has mode 0644: .*\(HEARTBEAT_KEY\): chmod 600 'x y'$/],
	[0o640, "TELEGRAM_BOT_TOKEN=1:a", /0640.*TELEGRAM_BOT_TOKEN/],
	[0o604, "ALERT_WEBHOOK_URL=http://x", /0604.*ALERT_WEBHOOK_URL/],
])("a .sync_env: mode %o, %j → %p", (mode, text, expected) => {
	const directory = mkdtempSync(path.join(os.tmpdir(), "exposed-"));
	try {
		const file = path.join(directory, ".sync_env");
		expect(exposedSecrets(file, "x")).toBeNull();
		writeFileSync(file, text);
		chmodSync(file, mode);
		const problem = exposedSecrets(file, "'x y'");
		if (expected === null) expect(problem).toBeNull();
		else expect(problem).toMatch(expected);
		expect(problem ?? "").not.toMatch(/0123456789|1:a|http/);
	} finally {
		rmSync(directory, { recursive: true });
	}
});
