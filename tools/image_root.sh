#!/bin/sh
# Puts the program and what it needs into a virtual environment: what the image holds beside Python. The Dockerfile and
# tools/image_check.py both run it, so what is checked is what is built.
#
#   image_root.sh dependencies ROOT    from requirements/image.txt, every file by its hash, nothing built from source
#   image_root.sh program ROOT         this checkout's wheel; then everything is compiled
#
# The same checkout gives the same bytes: compiled files hold no times (unchecked-hash) and pip's are not kept.
set -eu

step=$1 root=$2
python=${PYTHON:-python3}
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-315532800}"

install() {
  "$python" -m pip --python "$root/bin/python" install --quiet --no-compile --no-deps "$@"
}

case $step in
  dependencies)
    "$python" -m venv --without-pip "$root"
    install --only-binary :all: --require-hashes --requirement requirements/image.txt
    ;;
  program)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    "$python" -m venv --without-pip "$work/build"
    "$python" -m pip --python "$work/build/bin/python" install --quiet --only-binary :all: --require-hashes \
      --requirement requirements/image-build.txt
    "$work/build/bin/python" -m hatchling build --target wheel --directory "$work/wheel" >"$work/log" 2>&1 ||
      { cat "$work/log" >&2; exit 1; }
    install --no-index --find-links "$work/wheel" milvus-embedding-operator
    "$root/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$root/lib"
    ;;
  *)
    echo "$0: no step $step; use dependencies or program" >&2
    exit 2
    ;;
esac
