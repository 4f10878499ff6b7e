import { runProgram } from "@robust-sync/service/command-line";
import { healthServerProgram } from "./program.ts";

await runProgram(healthServerProgram());
