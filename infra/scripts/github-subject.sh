#!/usr/bin/env bash
# Prints the subject that GitHub's workflows sign in with, for a federated credential in Entra.
set -euo pipefail

# shellcheck source=infra/scripts/messages.sh
. "$(dirname "${BASH_SOURCE[0]}")/messages.sh"

usage() {
    cat <<'HELP'
Print the subject of a federated credential for the workflows of a repository's environment.

  github-subject.sh ORG/REPO ENVIRONMENT

Needs the GitHub CLI (gh), signed in with access to the repository. GitHub's answer is used as it is:
upper and lower case count, and repositories of different ages have different forms.
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

# The flag beside the prefix says whether somebody customised it; what counts is the prefix.
answer=$(gh api "repos/$1/actions/oidc/customization/sub" --jq '.sub_claim_prefix // ""' 2>&1) ||
    fail "GitHub does not say what the subject is: $answer" \
        "Start the deploy workflow once instead: the log of its sign-in step has the subject."
echo "${answer:-repo:$1}:environment:$2"
