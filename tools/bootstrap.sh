#!/bin/sh
# Make the virtual environment in three steps, each called by the Makefile, which says when:
#   tools/bootstrap.sh requirements .venv   makes it from nothing, with all of requirements/setup.txt in it
#   tools/bootstrap.sh package .venv        puts this folder's package into it: all that a user needs
#   tools/bootstrap.sh tools .venv          puts the rest of requirements/dev.txt into it, for tests and checks
set -eu

what=$1
venv=$2
log=$venv/install.log

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail \
        "Python 3.11 or newer is needed, and none is on PATH (looked for python3.13, 3.12, 3.11, python3, python)." \
        "Install one, for instance with your system's package manager, and run make again."
}

# pip's words go to a log: where nobody watches, its progress bars are noise.
step() {
    words=$1
    shift
    printf '  %s ...' "$words"
    if "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" >"$log" 2>&1; then
        printf ' done\n'
    else
        printf ' failed\n'
        tail -n 20 "$log" >&2
        fail "Installing failed; the whole log is $log. Run make again to retry."
    fi
}

packages_in() {
    grep -c '==' "requirements/$1.txt"
}

install_requirements() {
    python=$(find_python)
    "$python" -c 'import venv, ensurepip' 2>/dev/null || fail \
        "$python lacks the modules venv and ensurepip, which make virtual environments." \
        "On Debian and Ubuntu: apt install python3-venv"
    printf 'Installing into %s with %s, once:\n' "$venv" "$("$python" --version)"
    # From nothing: what an older lock installed would otherwise stay, and be imported.
    rm -rf "$venv"
    "$python" -m venv "$venv"
    step "$(packages_in setup) packages, each checked by its hash" install --require-hashes -r requirements/setup.txt
}

install_tools() {
    step "$(($(packages_in dev) - $(packages_in setup))) more for tests and checks, each checked by its hash" \
        install --require-hashes -r requirements/dev.txt
}

case $what in
requirements) install_requirements ;;
package) step "the operator, from this folder" install --no-deps --no-build-isolation --editable . ;;
tools) install_tools ;;
*) fail "There is no step '$what': say 'requirements', 'package' or 'tools'." ;;
esac
