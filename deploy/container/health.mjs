// The container's health check, without curl: the status of /health. 0: ok or degraded, 1: error, or no answer.
const port = process.env.HEALTH_PORT || 8080;
try {
	const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(5_000) });
	process.stdout.write(`${await answer.text()}\n`);
	process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
	process.stdout.write(`health-server does not answer: ${error.cause?.code ?? error.message}\n`);
	process.exitCode = 1;
}
