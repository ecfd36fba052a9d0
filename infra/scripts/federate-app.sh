#!/usr/bin/env bash
# Lets a managed identity sign in as an app registration, without a secret (MDA_AUTH=federated): adds
# the federated identity credential, then grants the registration the role that reads activities.
# Run once, by an administrator; run again, it changes nothing.
set -euo pipefail

# The audience that the function asks a token for; the credential has to name the same.
readonly AUDIENCE=api://AzureADTokenExchange

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=infra/scripts/graph.sh
. "$here/graph.sh"

usage() {
    cat <<'HELP'
Let a managed identity sign in as an app registration, and grant that the role investigation.read.

  federate-app.sh --client-id ID --app-name NAME --resource-group GROUP
  federate-app.sh --client-id ID --principal-id ID

  --client-id       application (client) id of the app registration
  --app-name        function app whose identity vouches for it, with --resource-group
  --principal-id    object (principal) id of that identity, instead
  --no-grant        only add the credential: when the activities of another tenant are read. An
                    administrator there then runs grant-app-role.sh --client-id ID

The registration and the identity belong to one tenant (Entra accepts no others); to read another
tenant's activities the registration is a multi-tenant one. Needs the Azure CLI, signed in to that
tenant as Cloud Application Administrator or Application Administrator.
HELP
}

client='' principal='' app='' group='' grant=yes
while [ $# -gt 0 ]; do
    case $1 in
    --client-id) client=$(value "$@") ;;
    --principal-id) principal=$(value "$@") ;;
    --app-name) app=$(value "$@") ;;
    --resource-group) group=$(value "$@") ;;
    --no-grant)
        grant=no
        shift
        continue
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) fail "unknown argument '$1' (see --help)" ;;
    esac
    shift 2
done

[ -n "$client" ] || fail "--client-id is missing (see --help)"
require_guid --client-id "$client"
if [ -n "$principal" ]; then
    [ -z "$app" ] || fail "name one identity: --principal-id, or --app-name with --resource-group"
    require_guid --principal-id "$principal"
else
    [ -n "$app" ] && [ -n "$group" ] || fail "name the identity: --principal-id, or --app-name with --resource-group"
fi

sign_in_check

[ -n "$principal" ] || principal=$(app_identity "$app" "$group")

registration=$(ask get "$GRAPH/applications?\$filter=appId%20eq%20'$client'&\$select=id" 'value[0].id') ||
    give_up "look up the app registration $client" "that may read applications, such as Directory Readers"
[ -n "$registration" ] || fail "this tenant has no app registration with the client id $client" \
    "The registration and the managed identity must belong to one tenant, the one above."

patiently "the identity $principal" ask get "$GRAPH/servicePrincipals/$principal?\$select=id" id >/dev/null ||
    fail "this tenant has no identity with the object id $principal: $(cat "$REFUSAL")" \
        "The registration and the managed identity must belong to one tenant, the one above."

authority=$(az cloud show --query endpoints.activeDirectory --output tsv)
issuer=${authority%/}/$TENANT/v2.0
credentials=$GRAPH/applications/$registration/federatedIdentityCredentials
there=$(count_in_pages "$credentials" "issuer=='$issuer' && subject=='$principal' && contains(audiences, '$AUDIENCE')") ||
    give_up "read the credentials of the app registration" "Cloud Application Administrator or Application Administrator"
if [ "$there" -gt 0 ]; then
    echo "The app registration $client trusts the identity $principal already; nothing was changed."
else
    body="{\"name\": \"activity-scan-$principal\", \"issuer\": \"$issuer\", \"subject\": \"$principal\", \"audiences\": [\"$AUDIENCE\"]}"
    ask post "$credentials" id "$body" >/dev/null ||
        give_up "add the credential to the app registration (it may have 20)" "Cloud Application Administrator or Application Administrator, or ownership of the registration"
    echo "The app registration $client now trusts the identity $principal (issuer $issuer)."
fi

[ "$grant" = yes ] || exit 0
exec bash "$here/grant-app-role.sh" --client-id "$client"
