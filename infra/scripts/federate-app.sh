#!/usr/bin/env bash
# Lets a managed identity sign in as an app registration without a secret (MDA_AUTH=federated): adds the
# federated identity credential, then grants the registration the role that lets it read activities. An
# administrator runs it once; running it again changes nothing.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=infra/scripts/graph.sh
. "$here/graph.sh"

usage() {
    cat <<'HELP'
Let a managed identity sign in as an app registration, and grant the registration the role
investigation.read.

  federate-app.sh --client-id ID --app-name NAME --resource-group GROUP
  federate-app.sh --client-id ID --principal-id ID

  --client-id       application (client) id of the app registration
  --app-name        function app whose identity the registration is to trust
  --resource-group  resource group of that function app
  --principal-id    object (principal) id of the identity, instead of --app-name
  --no-grant        only add the credential, because the activities belong to another tenant. An
                    administrator of that tenant then runs grant-app-role.sh --client-id ID

The registration and the identity must belong to the same tenant. To read the activities of another
tenant, use a multi-tenant registration. This needs the Azure CLI, signed in to the tenant of the
registration as Cloud Application Administrator or Application Administrator.
HELP
}

client_id='' principal_id='' app_name='' resource_group='' no_grant=''
read_options 'client-id principal-id app-name resource-group' no-grant "$@"

[ -n "$client_id" ] || fail "--client-id is missing (see --help)"
require_guid --client-id "$client_id"
require_identity "$principal_id" "$app_name" "$resource_group"

sign_in_check

[ -n "$principal_id" ] || principal_id=$(app_identity "$app_name" "$resource_group")

registration=$(ask get "$GRAPH/applications?\$filter=appId%20eq%20'$client_id'&\$select=id" 'value[0].id') ||
    give_up "look up the app registration $client_id" "that may read applications, such as Directory Readers"
[ -n "$registration" ] || fail "this tenant has no app registration with the client id $client_id" \
    "The registration and the managed identity must both belong to the tenant above."

patiently "the identity $principal_id" ask get "$GRAPH/servicePrincipals/$principal_id?\$select=id" id >/dev/null ||
    fail "this tenant has no identity with the object id $principal_id: $(cat "$REFUSAL")" \
        "The registration and the managed identity must both belong to the tenant above."

authority=$(az cloud show --query endpoints.activeDirectory --output tsv)
issuer=${authority%/}/$TENANT/v2.0
# The function requests its token for this audience of the cloud, so the credential must name it.
case $authority in
*login.microsoftonline.us*) audience=api://AzureADTokenExchangeUSGov ;;
*login.chinacloudapi.cn* | *login.partner.microsoftonline.cn*) audience=api://AzureADTokenExchangeChina ;;
*) audience=api://AzureADTokenExchange ;;
esac
credentials=$GRAPH/applications/$registration/federatedIdentityCredentials
there=$(count_in_pages "$credentials" "issuer=='$issuer' && subject=='$principal_id' && contains(audiences, '$audience')") ||
    give_up "read the credentials of the app registration" "Cloud Application Administrator or Application Administrator"
if [ "$there" -gt 0 ]; then
    echo "The app registration $client_id already trusts the identity $principal_id; nothing was changed."
else
    body="{\"name\": \"activity-scan-$principal_id\", \"issuer\": \"$issuer\", \"subject\": \"$principal_id\", \"audiences\": [\"$audience\"]}"
    ask post "$credentials" id "$body" >/dev/null ||
        give_up "add the credential to the app registration (it may have 20)" "Cloud Application Administrator or Application Administrator, or ownership of the registration"
    echo "The app registration $client_id now trusts the identity $principal_id (issuer $issuer)."
fi

[ -z "$no_grant" ] || exit 0
exec bash "$here/grant-app-role.sh" --client-id "$client_id"
