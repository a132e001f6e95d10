#!/bin/sh
# An image registry on this machine, for tests: `sh tests/machines/registry.sh start FOLDER PORT`; `stop FOLDER PORT` ends what it started. Installs
# Debian's docker-registry where it is not there, as root. All it keeps is in FOLDER; it listens on the loopback alone.
set -eu
action=$1 port=$3
mkdir -p "$2"
folder=$(cd "$2" && pwd)

stop() {
    [ -e "$folder/pid" ] || return 0
    kill "$(cat "$folder/pid")" 2>/dev/null || true
    rm "$folder/pid"
}

start() {
    stop
    command -v docker-registry >/dev/null || {
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
            echo "registry.sh: needs root on Debian, or docker-registry in the path" >&2
            exit 3
        }
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends docker-registry >/dev/null
    }
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$folder/store" "$port" >"$folder/config.yml"
    docker-registry serve "$folder/config.yml" >"$folder/log.txt" 2>&1 &
    echo $! >"$folder/pid"
    tries=0
    until python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$port/v2/')" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || {
            cat "$folder/log.txt" >&2
            exit 1
        }
        sleep 0.1
    done
}

"$action"
