import { isBinary, isValidUtf8, toLatin1 } from "./bytes.ts";
import { Interner } from "./interner.ts";
import { parseJson } from "./json/parse.ts";
import { isIniText } from "./keyed-text/scan-ini.ts";
import type { KeyedFormat } from "./keyed-text.ts";
import type { NoteSyntax } from "./notes.ts";

/** The kind of a merge: the `strategy` of a saved version's manifest. */
export type Kind = "json" | "keyed" | "records" | "append" | "prose" | "code" | "later";

/** The values of the `robust-sync` git attribute. */
export type AttributeKind = "json" | "records" | "prose" | "code" | "later";

/** Larger files are not merged: three versions, as strings and trees, would exceed the memory limit of a service. */
export const maxMergedBytes = 20 * 1024 * 1024;

const jsonExtensions = new Set(
	`json jsonc geojson topojson ipynb webmanifest canvas excalidraw code-workspace code-snippets jsonld har sarif arb lottie gltf tfstate`
		.split(" ")
		.map((extension) => `.${extension}`),
);
const recordExtensions = new Set([".jsonl", ".ndjson", ".csv", ".tsv", ".log"]);
const proseExtensions = new Set([".md", ".markdown", ".mdc", ".qmd", ".txt", ".org", ".rst", ".adoc", ".asciidoc"]);

/** Files of keys and values by their extension. */
const keyedExtensions: Readonly<Record<string, KeyedFormat>> = {
	".yaml": "yaml",
	".yml": "yaml",
	".base": "yaml",
	".cff": "yaml",
	".toml": "toml",
	".ini": "ini",
	".editorconfig": "ini",
	".desktop": "ini",
	".service": "ini",
	".socket": "ini",
	".timer": "ini",
	".target": "ini",
	".mount": "ini",
	".env": "env",
	".properties": "properties",
};
const keyedNames: Readonly<Record<string, KeyedFormat>> = {
	pipfile: "toml",
	".tool-versions": "words",
	".editorconfig": "ini",
	".gitconfig": "ini",
	".gitmodules": "ini",
	".npmrc": "ini",
	".pypirc": "ini",
	".env": "env",
	".sync_env": "env",
	".envrc": "env",
	".clang-format": "yaml",
	".clang-tidy": "yaml",
	".clangd": "yaml",
	".yamllint": "yaml",
};
/** These hold keys and values if every line of them is one. */
const maybeIniExtensions = new Set([".cfg", ".conf", ".config", ".cnf"]);

/** Files of one value: a mixture of two values is a third. */
const singleValueNames =
	/^(?:(?:[\w.]+[-_])?version(?:\.txt)?|\.[a-z]+-?version|\.nvmrc|rust-toolchain|runtime\.txt|cname|head|hostname|machine-id|timezone|current|latest|latest[-_]release)$/;
const singleValueExtensions = new Set([".pub", ".pid", ".sha1", ".sha256", ".sha512", ".md5"]);

/** Each line of these has its meaning by itself. */
const recordNames = new Set(["known_hosts", "authorized_keys", "allowed_signers"]);

const MARKUPS: Readonly<Record<string, NoteSyntax["markup"]>> = {
	".org": "org",
	".adoc": "asciidoc",
	".asciidoc": "asciidoc",
	".rst": "restructured",
};

/** Text with front matter whose lines depend on their neighbours. */
const codeWithFrontMatter = new Set([".mdx", ".rmd", ".html", ".htm", ".liquid", ".njk"]);

const xmlExtensions = new Set(
	".xml .xsd .xsl .xslt .xhtml .svg .drawio .dio .plist .rss .atom .csproj .vcxproj .props .targets .resx .xaml .kml .gpx .opml .storyboard .xib .entitlements".split(
		" ",
	),
);
const calendarExtensions = new Set([".ics", ".ical", ".vcf", ".vcs"]);
const braceExtensions = new Set([
	".conf",
	".cfg",
	".config",
	".css",
	".scss",
	".less",
	".tf",
	".tfvars",
	".hcl",
	".json5",
	".hjson",
	".caddy",
]);

/** Only package managers write these, and they can regenerate them: a mixture is worse than either version. */
const lockFiles = new Set(
	`package-lock.json npm-shrinkwrap.json pnpm-lock.yaml yarn.lock bun.lock bun.lockb deno.lock cargo.lock poetry.lock pdm.lock uv.lock pipfile.lock
	pixi.lock conda-lock.yml gemfile.lock gems.locked composer.lock go.sum go.work.sum mix.lock pubspec.lock podfile.lock package.resolved cartfile.resolved
	packages.lock.json paket.lock flake.lock gradle.lockfile buildscript-gradle.lockfile stack.yaml.lock cabal.project.freeze rebar.lock
	manifest.toml.lock chart.lock .terraform.lock.hcl module.bazel.lock conan.lock gopkg.lock shard.lock berksfile.lock elm-stuff.lock .package-lock.json
	juliamanifest.toml project.assets.json dub.selections.json
	pylock.toml maven_install.json requirements-dev.lock renv.lock devbox.lock spago.lock nimble.lock buf.lock .pnp.cjs .pnp.loader.mjs`.split(
		/\s+/,
	),
);

/** The names of all other tools' lock files. */
const lockExtensions = new Set([".lock", ".lockb", ".lockfile"]);
const lockNames = /[-_.]lock(?:file)?(?:\.[\w-]+)?\.(?:json|ya?ml|toml|txt|hcl)$|^pylock\..+\.toml$/;

/** Extensions of languages and formats in which lines depend on their neighbours. Text with an unknown extension is prose. */
const codeExtensions = new Set(
	`yaml yml toml ini cfg conf config properties env editorconfig json5 hjson xml xsd xsl xslt xhtml html htm svg vue svelte astro css scss sass less styl
	js mjs cjs jsx ts mts cts tsx coffee py pyi pyx pyw rb erb rake gemspec php phtml pl pm t lua tcl r rmd jl m mm swift kt kts java scala sbt groovy gradle
	clj cljs cljc edn cs csx fs fsx fsi vb vbs c h cc hh cpp hpp cxx hxx inl ino d go rs zig nim v sv vhd vhdl asm s hs lhs ml mli ex exs erl hrl elm dart
	sol move cairo ledger hledger journal beancount ebuild vhost strings http rest sql psql graphql gql proto thrift avsc prisma tf tfvars hcl nix bzl bazel cmake mk mak make ninja gn gni sh bash zsh fish ksh csh ps1
	psm1 psd1 drawio dio ics ical vcf vcs rss atom resx xaml kml gpx opml caddy bat cmd awk sed vim el lisp scm rkt tex sty cls bib ipy service socket timer target mount path desktop rules diff patch dockerfile
	containerfile cue dhall jsonnet libsonnet rego feature pug jade haml ejs hbs handlebars mustache liquid j2 jinja jinja2 tmpl tpl po pot plist csproj
	vcxproj props targets sln pbxproj xcconfig entitlements storyboard xib ipynb_ wat glsl vert frag hlsl wgsl cu cuh f f90 f95 for pas pp ada adb ads
	cob cbl abap cr nu mdx mmd mermaid puml plantuml dot gv d2 kdl ron zon vtt srt sgf`
		.split(/\s+/)
		.map((extension) => `.${extension}`),
);

const codeNames = new Set(
	`makefile gnumakefile dockerfile containerfile vagrantfile jenkinsfile rakefile gemfile podfile brewfile procfile justfile cmakelists.txt
	requirements.txt constraints.txt robots.txt build workspace go.mod go.work .env .envrc .bashrc .zshrc .profile .bash_profile .vimrc .gitconfig .gitmodules
	.npmrc .yarnrc .editorconfig .sync_env crontab caddyfile fstab sudoers ssh_config sshd_config nginx.conf haproxy.cfg .netrc .inputrc .curlrc
	.wgetrc .screenrc .psqlrc codeowners .htaccess .htpasswd .tmux.conf .xresources .xinitrc .zprofile .zshenv .bash_logout .login .logout
	hosts exports passwd group smb.conf wg0.conf i3config muttrc gitolite.conf .mailrc .ledger .hledger.journal main.cf master.cf pkgbuild guardfile
	fastfile appfile dangerfile snapfile meson.build`.split(/\s+/),
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

/**
 * The format of a file of keys and values, by its name and, if the name is ambiguous, its content; null: it is none.
 *
 * @param contents the versions that exist.
 */
export function keyedFormat(path: Uint8Array | string, contents: readonly Uint8Array[]): KeyedFormat | null {
	const name = baseName(path);
	const extension = extensionOf(path);
	const known = keyedNames[name] ?? keyedExtensions[extension] ?? (name.startsWith(".env.") ? "env" : null);
	if (known !== null) return known;
	return maybeIniExtensions.has(extension) && contents.every(isIni) ? "ini" : null;
}

/** An empty version may be anything. */
function isIni(content: Uint8Array): boolean {
	return content.length === 0 || isIniText(toLatin1(content).replace(/^\xef\xbb\xbf/, ""));
}

/** The format of a note; null: its lines are merged without a search for front matter or blocks. */
export function noteSyntax(path: Uint8Array | string, kind: Kind | "unknown"): NoteSyntax | null {
	const extension = extensionOf(path);
	if (codeWithFrontMatter.has(extension)) return { markup: "plain", asCode: true };
	if (kind !== "prose" && kind !== "unknown") return null;
	return { markup: MARKUPS[extension] ?? "markdown", asCode: false };
}

/** The pairs that must match in a text: elements, BEGIN and END, braces. */
export function bracketing(path: Uint8Array | string, contents: readonly Uint8Array[]): "xml" | "calendar" | "braces" | null {
	const extension = extensionOf(path);
	if (xmlExtensions.has(extension)) return "xml";
	if (calendarExtensions.has(extension)) return "calendar";
	if (braceExtensions.has(extension) || baseName(path) === "caddyfile") return "braces";
	if (codeExtensions.has(extension) || proseExtensions.has(extension)) return null;
	const starts = contents.map(startOf);
	if (starts.every((text) => text.startsWith("<"))) return "xml";
	return starts.every((text) => /^begin:/i.test(text)) ? "calendar" : contents.every(hasBraceBlocks) ? "braces" : null;
}

function startOf(content: Uint8Array): string {
	return toLatin1(content.subarray(0, 1000))
		.replace(/^\xef\xbb\xbf/, "")
		.replace(/^[ \t\r\n]+/, "");
}

/** Is a text laid out in blocks, `name {` to `}`? */
function hasBraceBlocks(content: Uint8Array): boolean {
	const text = toLatin1(content);
	return /\{[ \t]*\r?$/m.test(text) && /^[ \t]*\}[;,]?[ \t]*\r?$/m.test(text);
}

/** Does a file hold one value only, by its name or by its content? A key in PEM is one value over many lines. */
function isSingleValue(name: string, extension: string, contents: readonly Uint8Array[]): boolean {
	const texts = contents.map((content) => (content.length < 65_536 ? toLatin1(content).replace(/^\xef\xbb\xbf/, "") : null));
	if (texts.some((text) => text === null)) return false;
	const all = texts as string[];
	if (all.every((text) => /^-----BEGIN [^\n]*-----\r?\n/.test(text) && text.indexOf("-----BEGIN ", 1) === -1)) return true;
	const oneLine = all.every((text) => /^[^\n]*(?:\n[ \t\r\n]*)?$/.test(text));
	if (singleValueNames.test(name) || singleValueExtensions.has(extension)) return oneLine;
	if (extension !== "" && extension !== ".txt") return false;
	// Two words that both sides added may be the first lines of a list; two versions, dates or hashes are not.
	const word = contents.length === 3 ? /^[^ \t\r\n]+[ \t\r\n]*$/ : /^(?:v?\d[\w.:+-]*|[\da-f]{32,})\s*$/;
	return oneLine && all.every((text) => word.test(text));
}

/** Do files of this name hold JSON? */
export function isJsonName(path: Uint8Array | string): boolean {
	return jsonExtensions.has(extensionOf(path));
}

/**
 * The kind of a path's merge, from its git attribute, else its name, else its content. Whether a JSON file really is JSON, and whether both
 * sides only appended, is decided by {@link kindOf}, which calls this first.
 *
 * @param contents the versions that exist.
 */
export function namedKind(path: Uint8Array | string, contents: readonly Uint8Array[], attribute?: AttributeKind): Kind | "unknown" {
	if (attribute === "later" || contents.some((content) => content.length > maxMergedBytes)) return "later";
	if (attribute !== undefined && attribute !== "json") return attribute;
	const name = baseName(path);
	if (attribute === undefined && (lockFiles.has(name) || lockExtensions.has(extensionOf(path)) || lockNames.test(name))) return "later";
	if (contents.some((content) => isBinary(content) || isLargeFilePointer(content))) return "later";
	const extension = extensionOf(path);
	if (attribute === "json" || jsonExtensions.has(extension)) return "json";
	if (recordExtensions.has(extension) || recordNames.has(name)) return "records";
	if (keyedFormat(path, contents) !== null) return "keyed";
	if (isSingleValue(name, extension, contents)) return "later";
	if (codeNames.has(name) || codeExtensions.has(extension) || isHiddenConfig(path, name)) return "code";
	if (proseExtensions.has(extension)) return "prose";
	return "unknown";
}

/** `.ssh/config`, its included files, and the settings of programs: `.somethingrc`, `.config/…/config`. */
function isHiddenConfig(path: Uint8Array | string, name: string): boolean {
	const text = typeof path === "string" ? path : toLatin1(path);
	// A hidden file without extension holds a program's settings; lists of patterns and names are lists even so.
	if (/^\.[a-z0-9_-]+$/.test(name) && !/(?:ignore|allow|attributes|keep|mailmap|list|words|dictionary)$/.test(name)) return true;
	if (name === "config" && /(?:^|\/)\.[^/]+\//.test(text)) return true;
	return /(?:^|\/)(?:\.?ssh\/config|sshd?_config)(?:\.d\/[^/]+)?$/.test(text);
}

/**
 * The kind of a text without a specific name: JSON if every version is a JSON object or array; keys and values if every line is one; code if it starts
 * like a script or markup, or has blocks in braces; else prose.
 */
export function contentKind(contents: readonly Uint8Array[]): "json" | "keyed" | "code" | "prose" {
	if (contents.length > 0 && contents.every(isJsonContainer)) return "json";
	const texts = contents.filter(({ length }) => length > 0);
	if (texts.length === 0) return "prose";
	if (texts.every((content) => /^#!|^<|^begin:[a-z]/i.test(startOf(content)))) return "code";
	if (texts.every((content) => /^[ \t]*\[[^\]\n]+\][ \t]*\r?$/m.test(toLatin1(content)) && isIni(content))) return "keyed";
	return texts.every(hasBraceBlocks) ? "code" : "prose";
}

/** git's placeholder for a large file (Git LFS, docs/spec.md): the lines of two of them name no file at all. */
function isLargeFilePointer(content: Uint8Array): boolean {
	return content.length < 1024 && toLatin1(content.subarray(0, 43)).startsWith("version https://git-lfs.github.com/spec/v1");
}

function isJsonContainer(content: Uint8Array): boolean {
	const text = toLatin1(content);
	if (!/^\s*[{[]/.test(text.slice(0, 1000)) || !isValidUtf8(content)) return false;
	return typeof parseJson(text, new Interner()) !== "string";
}
