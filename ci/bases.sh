#!/usr/bin/env bash
# Stand-ins, from Debian's packages, for the images that the Dockerfile and compose.yaml name, under those very tags:
# for machines that reach no image registry. They carry this machine's certificates: for tests alone, never to be pushed.
set -euo pipefail
cd "$(dirname "$0")"
. ./engine.sh

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/canopy-bases
PYTHON_BASE=python:3.11-slim-bookworm
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

# A minimal Debian, kept in the cache as an archive: bootstrap SUITE PACKAGES
bootstrap() {
    local suite=$1 packages=$2 root archive
    archive=$CACHE/$suite.tar
    [ -s "$archive" ] && return
    mkdir -p "$CACHE"
    root=$(mktemp -d "$CACHE/$suite.XXXXXX")
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$(mirror)" >"$CACHE/$suite.log" 2>&1 ||
        { tail -n 20 "$CACHE/$suite.log" >&2 && return 1; }
    trust_this_machine "$root"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
    tar -C "$root" -cf "$archive.part" . && mv "$archive.part" "$archive"
    rm -rf "$root"
}

# What is fetched while an image is built is fetched as it is here.
trust_this_machine() {
    local root=$1
    mkdir -p "$root/etc/ssl/certs"
    cp --dereference "$CERTIFICATES" "$root$CERTIFICATES"
    printf '[global]\ncert = %s\n' "$CERTIFICATES" >"$root/etc/pip.conf"
    printf 'APT::Sandbox::User "root";\nAcquire::Check-Valid-Until "false";\n' >"$root/etc/apt/apt.conf.d/99-standin"
}

import() {
    local suite=$1 tag=$2 command=$3
    docker image inspect "$tag" >/dev/null 2>&1 && return
    docker import -c "CMD [\"$command\"]" -c "ENV SSL_CERT_FILE=$CERTIFICATES" -c "ENV REQUESTS_CA_BUNDLE=$CERTIFICATES" \
        "$CACHE/$suite.tar" "$tag" >/dev/null
}

# build TARGET TAG: one stand-in on top of a minimal Debian; what has not changed is taken from the engine's cache.
build() {
    docker buildx build --quiet --target "$1" --tag "$2" standins >/dev/null
}

# The tag that compose.yaml names for a service, and no other place.
tag_of() {
    docker compose --project-directory .. --env-file /dev/null -f ../compose.yaml --profile '*' config --no-interpolate --format json 2>/dev/null |
        python3 -c 'import json, re, sys
image = json.load(sys.stdin)["services"][sys.argv[1]]["image"]
print(re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", image))' "$1"
}

# What the Dockerfile begins with.
make_python() {
    bootstrap bookworm ca-certificates,python3,python3-pip,python3-venv
    import bookworm "$PYTHON_BASE" python3
}

# stand_ins SUITE TAG SERVICE…: each service's image on top of a minimal Debian.
stand_ins() {
    local suite=$1 tag=$2 service
    shift 2
    bootstrap "$suite" ca-certificates
    import "$suite" "$tag" bash
    for service in "$@"; do
        build "$service" "$(tag_of "$service" | sed 's/@sha256:.*//')"
    done
}

# The others' images, side by side; a failure of one is told when both have ended.
make_others() {
    local jobs=() job failed=0
    stand_ins trixie debian:trixie-slim minio postgres prober prometheus proxy redis & jobs+=($!)
    stand_ins sid debian:sid-slim mysql & jobs+=($!)
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    return "$failed"
}

case ${1:-} in
    python) make_python ;;
    others) make_others ;;
    *) echo "Usage: ci/bases.sh python|others" >&2 && exit 2 ;;
esac
