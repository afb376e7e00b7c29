# Thin names for the commands of this repository. `just` is not needed for any of them.

# Everything that is built here, plugins excepted.
build:
    cargo build --workspace

# Every test, or those with FILTER in their name.
test *FILTER:
    tests/run {{ FILTER }}

# What the lanes cost; `just bench all` runs the other benches too.
bench *ARGS:
    tests/bench {{ ARGS }}

# Everything that must hold for a commit.
ci:
    bash .ci/run

lint:
    cargo fmt --all --check
    cargo clippy --workspace --exclude plugin-sdk --all-targets --all-features -- -D warnings
    cargo clippy -p plugin-sdk --all-targets --all-features -- -D warnings

doc:
    cargo doc --workspace --no-deps --open

# Builds the example plugin and packs it into `plugins-dir`.
pack-hello:
    cd examples && cargo build --release -p hello
    cargo run --release -- plugin pack --library examples/target/release/libhello.so --out plugins-dir

# Runs the daemon of this checkout.
serve *FLAGS:
    cargo run --release -- serve --data .metapaas --bundles plugins-dir {{ FLAGS }}

# The release: a tar with the binary, its systemd unit, example settings and README, below `target/dist`.
dist *ARGS:
    packer/dist/build {{ ARGS }}

# The same in a container image, made by `podman` or `docker`.
image ENGINE="podman": dist
    {{ ENGINE }} build --file packer/images/control-plane/Containerfile --tag metapaas target/dist
