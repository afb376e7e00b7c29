# Sourced by tests/run and .ci/run: steps that say what they do, how long it took, and what to do when one fails.
#
#   step "what it does" "what to do when it fails"     names what follows
#   at_end COMMAND                                     runs it when the script ends, also when it fails
#   install_packages                                   installs the system packages that tests need and are not there
#   install_tool NAME VERSION                          installs a cargo subcommand that is not there
#   start_postgres                                     a PostgreSQL for the tests, until the script ends
#   plugins                                            lists every plugin as "WORKSPACE PACKAGE"
#   build_plugin WORKSPACE PACKAGE                     builds one by itself
# shellcheck shell=bash
set -euo pipefail

# What `cargo install` put somewhere may not be on the path of a fresh machine.
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

doing="" remedy="" step_began=$SECONDS
endings=()

step() {
    doing=$1 remedy=$2 step_began=$SECONDS
    printf '\n=== %s  (%d:%02d since the start)\n' "$doing" $((SECONDS / 60)) $((SECONDS % 60))
}

at_end() { endings+=("$1"); }

# Whatever ends the script early is told in one sentence, below the output of the tool that failed.
end() {
    local status=$? ending
    for ending in "${endings[@]}"; do
        $ending || echo "$0: \`$ending\` failed" >&2
    done
    if ((status != 0)); then
        printf '\n%s: failed (exit code %d, after %d s) at "%s": %s\n' \
            "$0" "$status" $((SECONDS - step_began)) "$doing" "$remedy" >&2
    fi
}
trap end EXIT

# has NAME WHERE PACKAGE: tells where it is, or notes the Debian package that brings it.
has() {
    local name=$1 where=$2 package=$3
    printf '  %-34s %s\n' "$name" "${where:-missing: the Debian package $package}"
    [[ -n $where ]] || missing+=("$package")
}

install_packages() {
    local missing=() initdb
    step "looking for what the tests need" "install what is missing and run this again"
    initdb=$(command -v initdb || printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort --version-sort | tail -n 1)
    printf '  %-34s %s\n' "Rust toolchain 1.95 or newer" "$(command -v cargo || echo "missing: https://rustup.rs")"
    has "C compiler and linker (cc)" "$(command -v cc)" build-essential
    has "curl" "$(command -v curl)" curl
    has "PostgreSQL 13 or newer (initdb)" "$([[ -x $initdb ]] && echo "$initdb")" postgresql
    printf '  %-34s %s\n' "cargo-nextest" "$(command -v cargo-nextest || echo "missing: cargo install, below")"
    if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
        echo "no Rust toolchain: install 1.95 or newer from https://rustup.rs" >&2
        return 1
    fi
    ((${#missing[@]} > 0)) || return 0
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        echo "not root on Debian, so nothing is installed: sudo apt-get install ${missing[*]}" >&2
        return 1
    fi
    step "installing ${missing[*]}, which is missing" \
        "read what apt-get says above; by hand: apt-get update && apt-get install ${missing[*]}"
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
}

# One that somebody else gives is used and left alone; so is one of `tests/postgres` that runs already.
start_postgres() {
    step "starting PostgreSQL" "read why above; by hand: tests/postgres start"
    if [[ -z ${METAPAAS_TEST_POSTGRES:-} ]]; then
        tests/postgres url >/dev/null 2>&1 || at_end "tests/postgres stop"
        METAPAAS_TEST_POSTGRES=$(tests/postgres start)
    fi
    export METAPAAS_TEST_POSTGRES
    echo "the tests use ${METAPAAS_TEST_POSTGRES##*@}"
}

install_tool() {
    local name=$1 version=$2
    if command -v "$name" >/dev/null; then
        echo "$name: $("$name" --version 2>/dev/null | head -n 1)"
        return
    fi
    step "installing $name $version, which is missing (minutes, once)" \
        "install it by hand: cargo install $name --locked --version $version"
    cargo install "$name" --locked --version "$version"
}

# Every folder of a plugin workspace that has a manifest is a plugin: none can be forgotten.
plugins() {
    local workspace manifest
    for workspace in examples tests/fixtures; do
        for manifest in "$workspace"/*/Cargo.toml; do
            # The first name in a manifest is the package's; its folder may have a shorter one.
            echo "$workspace $(sed -n '/^name = /{s/^name = "\(.*\)"/\1/p;q}' "$manifest")"
        done
    done
}

# Where the tests look for it, whatever CARGO_TARGET_DIR says.
build_plugin() {
    local workspace=$1 plugin=$2 profile=release
    # One plugin breaks its promise in its profile.
    [[ $plugin != panic-abort ]] || profile=abort
    local build=(cargo build --manifest-path "$workspace/Cargo.toml" --target-dir "$workspace/target"
        --profile "$profile" -p "$plugin")
    # One is two versions, whose builds write the same file.
    if [[ $plugin == metapaas-demo ]]; then
        "${build[@]}" --features next
        cp "$workspace/target/release/libmetapaas_demo.so" "$workspace/target/release/libmetapaas_demo_next.so"
    fi
    "${build[@]}"
}
