#!/usr/bin/env bash
# Grants an identity the right to read activities: the application role investigation.read of
# Microsoft Cloud App Security. Run once, by an administrator of the tenant whose activities are
# read; run again, it changes nothing. docs/authentication.md tells who needs it.
set -euo pipefail

readonly API=05a65629-4c1b-48c1-a78b-804c4abdd4af
readonly API_NAME="Microsoft Cloud App Security ($API)"
readonly ROLE=investigation.read
readonly ADMINISTRATORS="Privileged Role Administrator, Cloud Application Administrator or Application Administrator"

# shellcheck source=infra/scripts/graph.sh
. "$(dirname "${BASH_SOURCE[0]}")/graph.sh"

usage() {
    cat <<'HELP'
Grant an identity the application role investigation.read of the Activities API.

  grant-app-role.sh --app-name NAME --resource-group GROUP   the identity of a function app
  grant-app-role.sh --principal-id ID                        a managed identity, by its object (principal) id
  grant-app-role.sh --client-id ID                           an app registration, by its application (client) id

Needs the Azure CLI, signed in to the tenant whose activities are read ('az login --tenant TENANT
--allow-no-subscriptions'), as Privileged Role Administrator, Cloud Application Administrator or
Application Administrator. Run again, it changes nothing.
HELP
}

principal='' client='' app='' group=''
while [ $# -gt 0 ]; do
    case $1 in
    --principal-id) principal=$(value "$@") ;;
    --client-id) client=$(value "$@") ;;
    --app-name) app=$(value "$@") ;;
    --resource-group) group=$(value "$@") ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) fail "unknown argument '$1' (see --help)" ;;
    esac
    shift 2
done

identities=0
for given in "$principal" "$client" "$app"; do
    [ -z "$given" ] || identities=$((identities + 1))
done
[ "$identities" -eq 1 ] || fail "name one identity: --principal-id, --client-id, or --app-name with --resource-group"
[ -z "$principal" ] || require_guid --principal-id "$principal"
[ -z "$client" ] || require_guid --client-id "$client"
[ -z "$app" ] || [ -n "$group" ] || fail "--app-name needs --resource-group, too"

sign_in_check

[ -z "$app" ] || principal=$(app_identity "$app" "$group")
[ -z "$client" ] || principal=$(service_principal "$client" "the application $client")

name=$(patiently "the identity $principal" ask get "$GRAPH/servicePrincipals/$principal?\$select=id,displayName" displayName) || {
    if refused_because Request_ResourceNotFound; then
        fail "this tenant has no identity with the object id $principal" \
            "For a managed identity it is the 'Object (principal) ID', not the client id; for an app" \
            "registration give its application id as --client-id. Is the tenant above the right one?"
    fi
    give_up "read the identity $principal" "that may read applications, such as Directory Readers"
}

api=$(service_principal "$API" "$API_NAME")
role=$(patiently "$API_NAME" ask get "$GRAPH/servicePrincipals/$api?\$select=appRoles" \
    "appRoles[?value=='$ROLE' && contains(allowedMemberTypes, 'Application')].id | [0]") ||
    give_up "read the roles of $API_NAME" "that may read applications, such as Directory Readers"
[ -n "$role" ] || fail "$API_NAME has no application role '$ROLE' in this tenant" \
    "Defender for Cloud Apps has to be licensed and set up in the tenant first: https://security.microsoft.com"

held=$(count_in_pages "$GRAPH/servicePrincipals/$principal/appRoleAssignments" "resourceId=='$api' && appRoleId=='$role'") ||
    give_up "read what $name was granted" "that may read applications, such as Directory Readers"
if [ "$held" -gt 0 ]; then
    echo "$name ($principal) has the role $ROLE of $API_NAME already; nothing was changed."
    exit 0
fi

body="{\"principalId\": \"$principal\", \"resourceId\": \"$api\", \"appRoleId\": \"$role\"}"
if patiently "the identity $principal" ask post "$GRAPH/servicePrincipals/$principal/appRoleAssignments" id "$body" >/dev/null; then
    echo "Granted $name ($principal) the role $ROLE of $API_NAME."
elif refused_because 'already exists'; then
    echo "$name ($principal) has the role $ROLE of $API_NAME already; nothing was changed."
    exit 0
else
    give_up "grant the role $ROLE" "$ADMINISTRATORS"
fi
cat <<'NEXT'
A token that was issued before lacks the role until it expires: the API answers it with HTTP 403. For
a managed identity that is up to 24 hours, and nothing shortens it, no restart either. Runs that fail
until then lose nothing; the first one with a new token goes on.
NEXT
