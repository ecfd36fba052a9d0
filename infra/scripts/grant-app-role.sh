#!/usr/bin/env bash
# Grants an identity the right to read activities: the application role investigation.read of Microsoft
# Cloud App Security. An administrator of the tenant whose activities are read runs it once; running it
# again changes nothing. docs/authentication.md explains who needs it.
set -euo pipefail

readonly ADMINISTRATORS="Privileged Role Administrator, Cloud Application Administrator or Application Administrator"

# shellcheck source=infra/scripts/graph.sh
. "$(dirname "${BASH_SOURCE[0]}")/graph.sh"

usage() {
    cat <<'HELP'
Grant an identity the application role investigation.read of the Activities API.

  grant-app-role.sh --app-name NAME --resource-group GROUP   the identity of a function app
  grant-app-role.sh --principal-id ID                        a managed identity, by its object (principal) id
  grant-app-role.sh --client-id ID                           an app registration, by its application (client) id

This needs the Azure CLI, signed in to the tenant whose activities are read ('az login --tenant TENANT
--allow-no-subscriptions'), as Privileged Role Administrator, Cloud Application Administrator or
Application Administrator. Running it again changes nothing.
HELP
}

principal_id='' client_id='' app_name='' resource_group=''
read_options 'principal-id client-id app-name resource-group' '' "$@"

identities=0
for given in "$principal_id" "$client_id" "$app_name"; do
    [ -z "$given" ] || identities=$((identities + 1))
done
[ "$identities" -eq 1 ] || fail "name one identity: --principal-id, --client-id, or --app-name with --resource-group"
[ -z "$principal_id" ] || require_guid --principal-id "$principal_id"
[ -z "$client_id" ] || require_guid --client-id "$client_id"
[ -z "$app_name" ] || [ -n "$resource_group" ] || fail "--app-name also needs --resource-group"

sign_in_check

[ -z "$app_name" ] || principal_id=$(app_identity "$app_name" "$resource_group")
[ -z "$client_id" ] || principal_id=$(service_principal "$client_id" "the application $client_id")

name=$(patiently "the identity $principal_id" ask get "$GRAPH/servicePrincipals/$principal_id?\$select=id,displayName" displayName) || {
    if refused_because Request_ResourceNotFound; then
        fail "this tenant has no identity with the object id $principal_id" \
            "For a managed identity, give its 'Object (principal) ID', not the client id. For an app" \
            "registration, give its application id as --client-id. Is the tenant above the right one?"
    fi
    give_up "read the identity $principal_id" "that may read applications, such as Directory Readers"
}

api=$(service_principal "$API" "$API_NAME")
role=$(api_role "$api")

held=$(count_in_pages "$GRAPH/servicePrincipals/$principal_id/appRoleAssignments" "resourceId=='$api' && appRoleId=='$role'") ||
    give_up "read the roles of $name" "that may read applications, such as Directory Readers"
if [ "$held" -gt 0 ]; then
    echo "$name ($principal_id) already has the role $ROLE of $API_NAME; nothing was changed."
    exit 0
fi

body="{\"principalId\": \"$principal_id\", \"resourceId\": \"$api\", \"appRoleId\": \"$role\"}"
if patiently "the identity $principal_id" ask post "$GRAPH/servicePrincipals/$principal_id/appRoleAssignments" id "$body" >/dev/null; then
    echo "Granted $name ($principal_id) the role $ROLE of $API_NAME."
elif refused_because 'already exists'; then
    echo "$name ($principal_id) already has the role $ROLE of $API_NAME; nothing was changed."
    exit 0
else
    give_up "grant the role $ROLE" "$ADMINISTRATORS"
fi
cat <<'NEXT'
Tokens issued before this grant lack the role until they expire, and the API answers them with HTTP 403.
For a managed identity this can take up to 24 hours, and not even a restart shortens it. Runs that fail
until then lose nothing; the first run with a new token resumes.
NEXT
