#!/usr/bin/env bash
# Makes the app registration with which a service provider reads the activities of its customers without a
# secret: for several tenants, and trusting the managed identity of the provider's function app. An
# administrator of the provider's tenant runs it once for each cloud; running it again changes nothing.
# docs/providers.md has the other steps.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=infra/scripts/graph.sh
. "$here/graph.sh"

readonly ADMINISTRATORS="Cloud Application Administrator or Application Administrator"

usage() {
    cat <<'HELP'
Make an app registration for several tenants that trusts a managed identity.

  provider-app.sh --registration NAME --app-name APP --resource-group GROUP
  provider-app.sh --registration NAME --principal-id ID
  provider-app.sh --client-id ID ...

  --registration    name of the registration; customers see it. If there is one of this name, it is used
  --client-id       use this registration instead
  --app-name        function app whose identity the registration is to trust
  --resource-group  resource group of that function app
  --principal-id    object (principal) id of the identity, instead of --app-name

This needs the Azure CLI, signed in to the provider's tenant as Cloud Application Administrator or
Application Administrator. Running it again changes nothing.
HELP
}

registration='' client_id='' principal_id='' app_name='' resource_group=''
read_options 'registration client-id principal-id app-name resource-group' '' "$@"

if [ -n "$client_id" ]; then
    [ -z "$registration" ] || fail "name the registration once: either --registration or --client-id"
    require_guid --client-id "$client_id"
else
    [ -n "$registration" ] || fail "--registration is missing (see --help)"
    [[ $registration =~ ^[A-Za-z0-9][A-Za-z0-9\ ._-]{0,99}$ ]] || fail "--registration '$registration' may have letters, digits, spaces and . _ - only"
fi
require_identity "$principal_id" "$app_name" "$resource_group"

sign_in_check

[ -n "$principal_id" ] || principal_id=$(app_identity "$app_name" "$resource_group")

# registered FILTER: print the client id and the audience of the registration that a filter finds, and their number.
registered() {
    ask get "$GRAPH/applications?\$filter=$1&\$select=appId,signInAudience" \
        "join(' ', [to_string(length(value)), value[0].appId || '-', value[0].signInAudience || '-'])" ||
        give_up "look up the app registration" "that may read applications, such as Directory Readers"
}

if [ -n "$client_id" ]; then
    found=$(registered "appId%20eq%20'$client_id'")
else
    found=$(registered "displayName%20eq%20'${registration// /%20}'")
fi
read -r count found_id audience <<<"$found"
[ "$count" -le 1 ] || fail "this tenant has $count app registrations named '$registration'" \
    "Use --client-id with the application (client) id of the one that you mean."

if [ "$count" -eq 1 ]; then
    [ "$audience" = AzureADMultipleOrgs ] || fail "the app registration $found_id is not for several tenants (its audience is $audience)" \
        "Choose 'Accounts in any organizational directory' for it in the portal, or another --registration."
    client_id=$found_id
    echo "The app registration $client_id is for several tenants already; nothing was changed."
elif [ -n "$client_id" ]; then
    fail "this tenant has no app registration with the client id $client_id"
else
    api=$(service_principal "$API" "$API_NAME")
    role=$(api_role "$api")
    # The role is listed so that an administrator of a customer sees it when asked for consent.
    body="{\"displayName\": \"$registration\", \"signInAudience\": \"AzureADMultipleOrgs\", \"requiredResourceAccess\": [{\"resourceAppId\": \"$API\", \"resourceAccess\": [{\"id\": \"$role\", \"type\": \"Role\"}]}]}"
    client_id=$(ask post "$GRAPH/applications" appId "$body") || give_up "create the app registration" "$ADMINISTRATORS"
    echo "Created the app registration '$registration' with the client id $client_id, for several tenants."
    for ((try = 1; try < TRIES; try++)); do
        [[ $(registered "appId%20eq%20'$client_id'") != 0* ]] && break
        say "Waiting $WAIT s ($try of $((TRIES - 1))): the directory does not know the registration yet"
        sleep "$WAIT"
    done
fi

bash "$here/federate-app.sh" --client-id "$client_id" --principal-id "$principal_id" --no-grant

authority=$(az cloud show --query endpoints.activeDirectory --output tsv)
cat <<NEXT

Deploy with: authMode=federated mdaTenantId=$TENANT mdaClientId=$client_id
An administrator of each customer runs once: admit-provider.sh --client-id $client_id
or signs in at: ${authority%/}/CUSTOMER_TENANT/adminconsent?client_id=$client_id
NEXT
