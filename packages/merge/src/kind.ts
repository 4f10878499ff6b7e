import { isBinary, isValidUtf8, toLatin1 } from "./bytes.ts";
import { Interner } from "./interner.ts";
import { parseJson } from "./json/parse.ts";

/** How a path is merged: the `strategy` of a saved version's manifest. */
export type Kind = "json" | "records" | "append" | "prose" | "code" | "later";

/** What the `robust-sync` git attribute may ask for. */
export type AttributeKind = "json" | "records" | "prose" | "code" | "later";

/** Larger files are not merged: with three versions in memory as strings and trees this is what a service with a memory limit can hold. */
export const MAX_MERGED_BYTES = 20 * 1024 * 1024;

const JSON_EXTENSIONS = new Set(
	`json jsonc geojson topojson ipynb webmanifest canvas excalidraw code-workspace code-snippets jsonld har sarif arb lottie gltf tfstate`
		.split(" ")
		.map((extension) => `.${extension}`),
);
const RECORD_EXTENSIONS = new Set([".jsonl", ".ndjson", ".csv", ".tsv", ".log"]);
const PROSE_EXTENSIONS = new Set([".md", ".txt", ".org", ".rst", ".adoc"]);
const YAML_EXTENSIONS = new Set([".yaml", ".yml"]);

/** Written by package managers only, which can write them again: half of one and half of another is worse than either. */
const LOCK_FILES = new Set(
	`package-lock.json npm-shrinkwrap.json pnpm-lock.yaml yarn.lock bun.lock bun.lockb deno.lock cargo.lock poetry.lock pdm.lock uv.lock pipfile.lock
	pixi.lock conda-lock.yml gemfile.lock gems.locked composer.lock go.sum go.work.sum mix.lock pubspec.lock podfile.lock package.resolved cartfile.resolved
	packages.lock.json paket.lock flake.lock gradle.lockfile buildscript-gradle.lockfile stack.yaml.lock cabal.project.freeze rebar.lock
	manifest.toml.lock chart.lock .terraform.lock.hcl module.bazel.lock conan.lock gopkg.lock shard.lock berksfile.lock elm-stuff.lock .package-lock.json
	pylock.toml maven_install.json requirements-dev.lock renv.lock devbox.lock spago.lock nimble.lock buf.lock .pnp.cjs .pnp.loader.mjs`.split(
		/\s+/,
	),
);

/** What any other tool calls its lock file. */
const LOCK_EXTENSIONS = new Set([".lock", ".lockb", ".lockfile"]);

/** Extensions of languages and formats where a line depends on its neighbours. Text with an extension that is not known is prose. */
const CODE_EXTENSIONS = new Set(
	`yaml yml toml ini cfg conf config properties env editorconfig json5 hjson xml xsd xsl xslt xhtml html htm svg vue svelte astro css scss sass less styl
	js mjs cjs jsx ts mts cts tsx coffee py pyi pyx pyw rb erb rake gemspec php phtml pl pm t lua tcl r rmd jl m mm swift kt kts java scala sbt groovy gradle
	clj cljs cljc edn cs csx fs fsx fsi vb vbs c h cc hh cpp hpp cxx hxx inl ino d go rs zig nim v sv vhd vhdl asm s hs lhs ml mli ex exs erl hrl elm dart
	sol move cairo sql psql graphql gql proto thrift avsc prisma tf tfvars hcl nix bzl bazel cmake mk mak make ninja gn gni sh bash zsh fish ksh csh ps1
	psm1 psd1 bat cmd awk sed vim el lisp scm rkt tex sty cls bib ipy service socket timer target mount path desktop rules diff patch dockerfile
	containerfile cue dhall jsonnet libsonnet rego feature pug jade haml ejs hbs handlebars mustache liquid j2 jinja jinja2 tmpl tpl po pot plist csproj
	vcxproj props targets sln pbxproj xcconfig entitlements storyboard xib ipynb_ wat glsl vert frag hlsl wgsl cu cuh f f90 f95 for pas pp ada adb ads
	cob cbl abap cr nu mdx`
		.split(/\s+/)
		.map((extension) => `.${extension}`),
);

const CODE_NAMES = new Set(
	`makefile gnumakefile dockerfile containerfile vagrantfile jenkinsfile rakefile gemfile podfile brewfile procfile justfile cmakelists.txt
	requirements.txt constraints.txt robots.txt build workspace go.mod go.work .env .envrc .bashrc .zshrc .profile .bash_profile .vimrc .gitconfig .gitmodules
	.npmrc .yarnrc .editorconfig .sync_env crontab`.split(/\s+/),
);

/** The last part of a path, lower case; bytes that are not ASCII do not matter here. */
export function baseName(path: Uint8Array | string): string {
	const text = typeof path === "string" ? path : toLatin1(path);
	return text.slice(text.lastIndexOf("/") + 1).toLowerCase();
}

/** The extension with its dot, or nothing. A leading dot starts a name, not an extension. */
export function extensionOf(path: Uint8Array | string): string {
	const name = baseName(path);
	const dot = name.lastIndexOf(".");
	return dot > 0 ? name.slice(dot) : "";
}

/** Is the path YAML by its name? */
export function isYamlName(path: Uint8Array | string): boolean {
	return YAML_EXTENSIONS.has(extensionOf(path));
}

/** Do files of this name hold JSON? */
export function isJsonName(path: Uint8Array | string): boolean {
	return JSON_EXTENSIONS.has(extensionOf(path));
}

/**
 * How a path is to be merged, from its git attribute, else its name, else its content. Whether a JSON file really is JSON and whether both
 * sides only appended is decided by {@link kindOf}, which calls this first.
 *
 * @param contents the versions that exist.
 */
export function namedKind(path: Uint8Array | string, contents: readonly Uint8Array[], attribute?: AttributeKind): Kind | "unknown" {
	if (attribute === "later" || contents.some((content) => content.length > MAX_MERGED_BYTES)) return "later";
	if (attribute !== undefined && attribute !== "json") return attribute;
	const name = baseName(path);
	if (attribute === undefined && (LOCK_FILES.has(name) || LOCK_EXTENSIONS.has(extensionOf(path)))) return "later";
	if (contents.some((content) => isBinary(content) || isLargeFilePointer(content))) return "later";
	const extension = extensionOf(path);
	if (attribute === "json" || JSON_EXTENSIONS.has(extension)) return "json";
	if (RECORD_EXTENSIONS.has(extension)) return "records";
	if (CODE_NAMES.has(name) || CODE_EXTENSIONS.has(extension)) return "code";
	if (PROSE_EXTENSIONS.has(extension)) return "prose";
	return "unknown";
}

/** What a text without a telling name is: JSON if every version is a JSON object or array, a script by its first line, else prose. */
export function contentKind(contents: readonly Uint8Array[]): "json" | "code" | "prose" {
	if (contents.length > 0 && contents.every(isJsonContainer)) return "json";
	const texts = contents.map((content) => toLatin1(content.subarray(0, 64)));
	if (texts.length > 0 && texts.every((text) => /^#!|^<\?xml|^<!doctype|^<html/i.test(text))) return "code";
	return "prose";
}

/** What git keeps in place of a large file (Git LFS, docs/spec.md): the lines of two of them name no file at all. */
function isLargeFilePointer(content: Uint8Array): boolean {
	return content.length < 1024 && toLatin1(content.subarray(0, 43)).startsWith("version https://git-lfs.github.com/spec/v1");
}

function isJsonContainer(content: Uint8Array): boolean {
	const text = toLatin1(content);
	if (!/^\s*[{[]/.test(text.slice(0, 1000)) || !isValidUtf8(content)) return false;
	return typeof parseJson(text, new Interner()) !== "string";
}
