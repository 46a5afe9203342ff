#!/usr/bin/env bash
# Installs the clients of tests/clients: bash tests/clients/install.sh, on a Debian machine with Rust, as root. What is
# not Debian's comes from PyPI, npm and crates.io, in the versions of requirements.txt and the lock files, and is put
# into target/clients.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
installed=$here/../../target/clients

packages=(
    mariadb-client                             # mariadb, mysqladmin
    default-jdk-headless libmariadb-java       # MariaDB Connector/J
    golang-go                                  # Go's driver, built here
    golang-github-go-sql-driver-mysql-dev
    libdbd-mariadb-perl                        # DBD::MariaDB
    mycli                                      # beside PyPI's, which is newer
    percona-toolkit                            # pt-kill
    sysbench openssl
    python3-venv                               # for what comes from PyPI
    gcc libc6-dev                              # rustc links with cc
)
# Node's own packages bring npm with them, and do not go together with Debian's.
command -v npm >/dev/null || packages+=(nodejs npm)

apt-get install -q -y --no-install-recommends "${packages[@]}"
mkdir -p "$installed"

python3 -m venv "$installed/venv"
"$installed/venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"

# Beside its description, as npm wants it.
cp "$here"/node/package{,-lock}.json "$installed"
npm ci --prefix "$installed" --no-audit --no-fund

# From Debian's packages: no modules.
(cd "$here/go" && GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$installed/go-sql-driver")

cargo build --locked --manifest-path "$here/rust/Cargo.toml" --target-dir "$here/../../target"
cp "$here/../../target/debug/killdeer-clients" "$installed/rust"
