# shellcheck shell=bash
# Sourced by the other scripts: how they speak, and how they end.

say() {
    printf '%s\n' "$*" >&2
}

# fail WHAT LINES...: end with what failed and, indented below it, what to do.
fail() {
    say "error: $1"
    shift
    local line
    for line in "$@"; do say "       $line"; done
    exit 1
}

# value OPTION REST...: the value of an option, which is the first of the rest.
value() {
    [ $# -ge 2 ] && [ -n "$2" ] || fail "$1 needs a value (see --help)"
    printf '%s' "$2"
}

require_az() {
    command -v az >/dev/null || fail "the Azure CLI (az) is missing: https://aka.ms/install-azure-cli" \
        "or run this in the Cloud Shell, which has it"
}
