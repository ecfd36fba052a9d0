# shellcheck shell=bash
# Sourced by the other scripts: their messages, their options and the check for the Azure CLI.

say() {
    printf '%s\n' "$*" >&2
}

# fail WHAT LINES...: print an error and, indented below it, what to do about it; then exit with 1.
fail() {
    say "error: $1"
    shift
    local line
    for line in "$@"; do say "       $line"; done
    exit 1
}

# value OPTION ARGUMENTS...: print the value of an option, which is the first of the arguments after it.
value() {
    [ $# -ge 2 ] && [ -n "$2" ] || fail "$1 needs a value (see --help)"
    printf '%s' "$2"
}

# read_options VALUED FLAGS ARGUMENTS...: set one variable per option, such as client_id for --client-id.
# VALUED and FLAGS list the names of the options with a value and of those without one, which are set to
# "yes". --help prints the usage and exits.
read_options() {
    local valued=" $1 " flags=" $2 " name given
    shift 2
    while [ $# -gt 0 ]; do
        name=${1#--}
        case $1 in --help | -h)
            usage
            exit 0
            ;;
        esac
        if [[ $1 == --* && $valued == *" $name "* ]]; then
            given=$(value "$@") || exit
            shift
        elif [[ $1 == --* && $flags == *" $name "* ]]; then
            given=yes
        else
            fail "unknown argument '$1' (see --help)"
        fi
        printf -v "${name//-/_}" '%s' "$given"
        shift
    done
}

require_az() {
    command -v az >/dev/null || fail "the Azure CLI (az) is missing: https://aka.ms/install-azure-cli" \
        "or run this in the Cloud Shell, which has it"
}
