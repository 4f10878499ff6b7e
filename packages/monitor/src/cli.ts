import { runProgram } from "@robust-sync/service/command-line";
import { monitorProgram } from "./program.ts";

await runProgram(monitorProgram());
