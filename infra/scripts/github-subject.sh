#!/usr/bin/env bash
# Prints the subject with which a repository's GitHub workflows sign in, for a federated credential in Entra.
set -euo pipefail

# shellcheck source=infra/scripts/messages.sh
. "$(dirname "${BASH_SOURCE[0]}")/messages.sh"

usage() {
    cat <<'HELP'
Print the subject that a federated credential needs to trust the workflows of one environment of a
repository.

  github-subject.sh ORG/REPO ENVIRONMENT

This needs the GitHub CLI (gh), signed in with access to the repository. Copy the subject exactly: case
matters, and its form depends on the age of the repository.
HELP
}

if [ "${1-}" = --help ] || [ "${1-}" = -h ]; then
    usage
    exit 0
fi
[ $# -eq 2 ] || fail "name a repository and an environment (see --help)"
[[ $1 =~ ^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$ ]] || fail "'$1' is not a repository such as ORG/REPO"
command -v gh >/dev/null || fail "the GitHub CLI (gh) is missing: https://cli.github.com" \
    "Without it, start the deploy workflow once: the log of its sign-in step has the subject."

# The answer also has a flag for customised prefixes; only the prefix itself matters here.
answer=$(gh api "repos/$1/actions/oidc/customization/sub" --jq '.sub_claim_prefix // ""' 2>&1) ||
    fail "GitHub did not return the subject: $answer" \
        "Start the deploy workflow once instead: the log of its sign-in step has the subject."
echo "${answer:-repo:$1}:environment:$2"
