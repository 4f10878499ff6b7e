import { appendFileSync } from "node:fs";

/**
 * A jest reporter: one JSON line a test file, as soon as it is done, into the file that ROBUST_SYNC_TEST_RESULTS names. A run that is killed
 * has then still said which files ran.
 */
export default class RecordResults {
	onTestFileResult(_test, { testFilePath, numPassingTests, numFailingTests, numPendingTests, testExecError, perfStats }) {
		const record = {
			file: testFilePath,
			passed: numPassingTests,
			failed: numFailingTests + (testExecError && numFailingTests === 0 ? 1 : 0),
			skipped: numPendingTests,
			seconds: Math.round((perfStats.end - perfStats.start) / 100) / 10,
		};
		appendFileSync(process.env.ROBUST_SYNC_TEST_RESULTS, `${JSON.stringify(record)}\n`);
	}
}
