import { appendFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";

/**
 * A jest reporter: writes one JSON line a test file, as soon as it is done, to the file that ROBUST_SYNC_TEST_RESULTS names. After a run that was
 * killed it shows which files ran.
 */
export default class RecordResults {
	onTestFileResult(_test, result) {
		const { testFilePath, numPassingTests, numFailingTests, numPendingTests, testExecError, testResults, failureMessage, perfStats } =
			result;
		const record = {
			file: testFilePath,
			passed: numPassingTests,
			failed: numFailingTests + (testExecError && numFailingTests === 0 ? 1 : 0),
			skipped: numPendingTests,
			messages: testExecError
				? [stripVTControlCharacters(failureMessage ?? "")]
				: testResults
						.filter(({ status }) => status === "failed")
						.map(({ fullName, failureMessages }) => stripVTControlCharacters(`${fullName}\n${failureMessages.join("\n")}`)),
			seconds: Math.round((perfStats.end - perfStats.start) / 100) / 10,
		};
		appendFileSync(process.env.ROBUST_SYNC_TEST_RESULTS, `${JSON.stringify(record)}\n`);
	}
}
