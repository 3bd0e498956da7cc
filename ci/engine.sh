#!/usr/bin/env bash
# A container engine by hand, for a machine whose init does not run one: `ci/engine.sh start` and `stop`.
# It leaves an engine that answers already alone. Sourced, it gives the environment that docker needs.
set -euo pipefail

STATE=${CANOPY_ENGINE_STATE:-/tmp/canopy-docker}
STARTED=false # whether the engine is this shell's to stop
export DOCKER_CONFIG=$STATE/config
export DOCKER_HOST=unix://$STATE/docker.sock

# Packages of this machine's own Debian: the engine, what it filters with, what makes bases.
install_engine() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "A container engine is started by root; this is $(id -un)." >&2
        return 1
    fi
    local needed=(docker.io iptables debootstrap ca-certificates debian-archive-keyring procps) package missing=()
    for package in "${needed[@]}"; do
        dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Compose v2 and buildx, which Debian 12 does not have, out of Debian 13's packages; they run on 12.
install_plugins() {
    local plugins=$DOCKER_CONFIG/cli-plugins
    [ -x "$plugins/docker-compose" ] && [ -x "$plugins/docker-buildx" ] && return
    mkdir -p "$plugins" "$STATE/apt/lists/partial" "$STATE/apt/cache/archives/partial" "$STATE/unpacked"
    echo "deb [signed-by=$(keyring)] $(mirror) trixie main" >"$STATE/apt/sources.list"
    local apt=(-o "Dir::Etc::sourcelist=$STATE/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::status=/dev/null
        -o "Dir::State::lists=$STATE/apt/lists" -o "Dir::Cache=$STATE/apt/cache" -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" update -qq
    (cd "$STATE/apt" && apt-get "${apt[@]}" download -qq docker-compose docker-buildx)
    for package in "$STATE"/apt/*.deb; do dpkg -x "$package" "$STATE/unpacked"; done
    cp "$STATE"/unpacked/usr/libexec/docker/cli-plugins/docker-* "$plugins/"
}

# Where this machine's own apt has its Debian packages from.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1
}

keyring() {
    echo /usr/share/keyrings/debian-archive-keyring.gpg
}

start_engine() {
    if docker info >/dev/null 2>&1; then return; fi
    if pgrep -x dockerd >/dev/null; then
        echo "Another dockerd runs on this machine; two would share the bridge. Set DOCKER_HOST, or stop it." >&2
        return 1
    fi
    mkdir -p "$STATE/exec"
    rm -f "$STATE/docker.sock" "$STATE/docker.pid"
    STARTED=true
    setsid dockerd --data-root "$STATE/data" --exec-root "$STATE/exec" --pidfile "$STATE/docker.pid" \
        -H "$DOCKER_HOST" --bip 172.17.0.1/16 --log-level warn >"$STATE/dockerd.log" 2>&1 </dev/null &
    for _ in $(seq 120); do
        docker info >/dev/null 2>&1 && return
        sleep 0.5
    done
    echo "No container engine came up within 60 s. It said:" >&2
    tail -n 20 "$STATE/dockerd.log" >&2
    return 1
}

stop_engine() {
    local pid
    pid=$(cat "$STATE/docker.pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 120); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.5
    done
    echo "dockerd (pid $pid) did not end within 60 s." >&2
    return 1
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1:-} in
        start) install_engine && install_plugins && start_engine ;;
        stop) stop_engine ;;
        *) echo "Usage: ci/engine.sh start|stop" >&2 && exit 2 ;;
    esac
fi
