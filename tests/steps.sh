# Sourced by tests/run and .ci/run: steps that say what they do, how long it took, and what to do when one fails.
#
#   step "what it does" "what to do when it fails"     names what follows
#   install_tool NAME VERSION                          installs a cargo subcommand that is not there
#   plugins                                            lists every plugin as "WORKSPACE PACKAGE"
# shellcheck shell=bash
set -euo pipefail

# What `cargo install` put somewhere may not be on the path of a fresh machine.
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

doing="" remedy="" step_began=$SECONDS

step() {
    doing=$1 remedy=$2 step_began=$SECONDS
    printf '\n=== %s  (%d:%02d since the start)\n' "$doing" $((SECONDS / 60)) $((SECONDS % 60))
}

# Whatever ends the script early is told in one sentence, below the output of the tool that failed.
tell_failure() {
    local status=$?
    if ((status != 0)); then
        printf '\n%s: failed (exit code %d, after %d s) at "%s": %s\n' \
            "$0" "$status" $((SECONDS - step_began)) "$doing" "$remedy" >&2
    fi
}
trap tell_failure EXIT

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
