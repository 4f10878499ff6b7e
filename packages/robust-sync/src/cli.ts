import { quickStatus } from "./quick-status.ts";

// Monitoring asks for the status again and again: the usual answer is given before anything else is loaded.
const answered = quickStatus(process.argv.slice(2), process.env);
if (answered === null) await import("./program.ts");
else process.exitCode = answered;
