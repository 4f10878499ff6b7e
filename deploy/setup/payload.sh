# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# The programs: a copy that is independent of the clone, the link `current` to it, and links to the executables.

# is_built: every bundle exists and none of its sources is newer.
is_built() {
	local name
	for name in "${executables[@]}" print-config; do [ -e "$clone/dist/$name.mjs" ] || return 1; done
	[ -d "$clone/packages" ] || return 0
	[ -z "$(find "$clone/packages" "$clone/package.json" "$clone/pnpm-lock.yaml" "$clone/bin/build" -path '*/node_modules' -prune -o -type f ! -name '*.test.ts' -newer "$clone/dist/robust-sync.mjs" -print -quit)" ]
}

# build: makes the clone runnable. A clone that is built downloads nothing.
build() {
	if is_built; then return; fi
	[ -e "$clone/bin/build/build.mjs" ] || fail "$clone has neither bundles nor the means to build them: take a complete clone"
	info "building (the first time dependencies are fetched with npm; this takes up to a minute)"
	"$node" "$clone/bin/build/build.mjs" || fail "the build failed: see the lines above"
}

payload_version() { "$node" -p 'JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8")).version' "$clone/package.json"; }

# payload_files: the files to copy, relative to the clone.
payload_files() {
	local name
	(
		cd "$clone" || exit
		find dist -path dist/types -prune -o -type f ! -path '*/.*' -print
		for name in "${executables[@]}" package.json; do printf 'bin/%s\n' "$name"; done
		find deploy -type f ! -name '*.test.ts' ! -path 'deploy/container/*'
		for name in package.json LICENSE README.md CHANGELOG.md; do [ ! -e "$name" ] || printf '%s\n' "$name"; done
	) | sort
}

payload_hash() { (cd "$clone" && payload_files | tr '\n' '\0' | xargs -0 sha256sum) | sha256sum | cut -c1-12; }

# choose_version_directory: <prefix>/<version>, or <version>+<hash> beside another build of the same version.
choose_version_directory() {
	local version hash
	version=$(payload_version)
	version_dir=$prefix/$version
	# With --dry-run there may be no build yet.
	if [ -n "$dry" ] && ! is_built; then
		content_hash=unknown
		return
	fi
	hash=$(payload_hash)
	if [ -d "$version_dir" ] && [ "$(cat "$version_dir/.content" 2>/dev/null)" != "$hash" ]; then version_dir=$prefix/$version+$hash; fi
	content_hash=$hash
}

# The installed copy itself has nothing to copy.
is_installed_copy() { [ -e "$clone/.content" ]; }

copy_payload() {
	if is_installed_copy; then
		version_dir=$clone
		return
	fi
	choose_version_directory
	if [ "$(cat "$version_dir/.content" 2>/dev/null)" = "$content_hash" ]; then
		info "already there: $version_dir"
	else
		change "copy the programs to $version_dir" copy_files
	fi
}

copy_files() {
	local part=$version_dir.part file
	rm -rf "$part" "$version_dir"
	mkdir -p "$part"
	chmod 755 "$prefix" "$part"
	while IFS= read -r file; do
		mkdir -p "$part/$(dirname "$file")"
		cp "$clone/$file" "$part/$file"
	done < <(payload_files)
	chmod -R u+rwX,go+rX,go-w "$part"
	for file in "${executables[@]}"; do chmod 755 "$part/bin/$file"; done
	printf '%s\n' "$content_hash" >"$part/.content"
	mv "$part" "$version_dir"
}

# point_current DIRECTORY: changes the link in one step, so that it always points to a whole version.
point_current() {
	ln -sfn "$(basename "$1")" "$prefix/current.new"
	mv -fT "$prefix/current.new" "$prefix/current"
}

# each_shared_file: "installed-place<TAB>place-in-the-payload" of man pages and completions.
each_shared_file() {
	local name
	for name in "${executables[@]}"; do
		printf '%s\t%s\n' \
			"$share/man/man1/$name.1" "man/$name.1" \
			"$share/bash-completion/completions/$name" "bash/$name" \
			"$share/zsh/site-functions/_$name" "zsh/_$name" \
			"$share/fish/vendor_completions.d/$name.fish" "fish/$name.fish"
	done
}

link_programs() {
	local name place from
	if [ "$(readlink "$prefix/current" 2>/dev/null)" != "$(basename "$version_dir")" ]; then
		change "make $prefix/current mean $(basename "$version_dir")" point_current "$version_dir"
	fi
	if [ -n "$link_prefix" ] && [ "$(cat "$prefix/link-prefix" 2>/dev/null)" != "$link_prefix" ]; then
		change "note in $prefix/link-prefix where the links are" write_text "$prefix/link-prefix" "$link_prefix"
	fi
	for name in "${executables[@]}"; do
		if is_foreign "$links/$name"; then continue; fi
		if [ "$(readlink "$links/$name" 2>/dev/null)" != "$prefix/current/bin/$name" ]; then
			change "link $links/$name" link_one "$prefix/current/bin/$name" "$links/$name"
		fi
	done
	if [ -d "$clone/dist/share" ] && [ ! -L "$share/man/man1/robust-sync.1" ]; then
		change "link manual pages and shell completions into $share" link_shared
	fi
	case ":$PATH:" in *":$links:"*) ;; *) warn "$links is not in your PATH: add it in ~/.profile" ;; esac
}

link_one() {
	mkdir -p "$(dirname "$2")"
	ln -sfn "$1" "$2"
}

link_shared() {
	local place from
	while IFS=$'\t' read -r place from; do is_foreign "$place" || link_one "$prefix/current/dist/share/$from" "$place"; done < <(each_shared_file)
}

unlink_programs() {
	local place from
	while IFS=$'\t' read -r place from; do unlink_ours "$place"; done < <(each_shared_file)
	for from in "${executables[@]}"; do unlink_ours "$links/$from"; done
}

unlink_ours() {
	case $(readlink "$1" 2>/dev/null || true) in "$prefix"/*) change "remove $1" rm -f "$1" ;; esac
}
