#!/bin/sh
# Make the virtual environment $1 from the lock file, the source in it; or with $2 only one of the two, `packages` or `source`. LOCK names
# another lock file of this folder. TORCH=cuda takes torch's CUDA build, by hash, where a site's own wheels or index would be taken.
# uv installs in seconds what pip installs in minutes.
set -eu
venv=$1
what=${2:-both}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
if [ "$what" != source ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
        echo "the lock file is resolved for Python 3.11; $python is $("$python" -V 2>&1). Name one: make PYTHON=python3.11" >&2
        exit 2
    }
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/bootstrap.txt"
    # A site that keeps wheels of its own tells pip where they are; uv does not read pip's configuration, so it is told the same.
    links=${PIP_FIND_LINKS:-$("$venv/bin/python" -m pip config get global.find-links 2>/dev/null || true)}
    UV_FIND_LINKS=${UV_FIND_LINKS:-$(printf %s "$links" | tr -s ' \n' ',,')}
    [ "${TORCH:-}" != cuda ] || { UV_FIND_LINKS='' && unset UV_INDEX UV_EXTRA_INDEX_URL; }
    [ -z "$UV_FIND_LINKS" ] && unset UV_FIND_LINKS || export UV_FIND_LINKS
    # torch: the registry's build by hash. A site's own wheels or index may hold another build of the version: torch.txt says more.
    set -- -r "$here/torch.txt"
    [ -n "${UV_FIND_LINKS:-}${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ] || [ "$(uname -sm)" != "Linux x86_64" ] ||
        set -- --require-hashes -r "$here/torch-cuda.txt"
    # Compiled once, here: where PYTHONDONTWRITEBYTECODE is set every job would compile torch again, a third of a short one's time.
    VIRTUAL_ENV=$venv "$venv/bin/uv" pip install --quiet --compile-bytecode "$@" -r "$here/${LOCK:-lock.txt}"
fi
[ "$what" = packages ] || VIRTUAL_ENV=$venv "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable "$here/.."
