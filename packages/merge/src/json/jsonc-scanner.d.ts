/**
 * The part of jsonc-parser that is used, by its own file: the package's entry for require() loads its parts in a way that no bundler follows,
 * and its entry for import is no module to Node.
 */
declare module "jsonc-parser/lib/umd/impl/scanner.js" {
	export { createScanner } from "jsonc-parser";
}
