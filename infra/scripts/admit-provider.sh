#!/usr/bin/env bash
# Lets a service provider read the activities of this tenant: creates the service principal of the provider's
# app registration here, and grants it the role investigation.read and nothing else. An administrator of the
# customer runs it once; running it again changes nothing. --remove takes everything back.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=infra/scripts/graph.sh
. "$here/graph.sh"

usage() {
    cat <<'HELP'
Let a service provider read the activities of this tenant, or end that.

  admit-provider.sh --client-id ID            let the provider read them
  admit-provider.sh --client-id ID --remove   end that

  --client-id  application (client) id of the provider's app registration; the provider tells you

The provider receives the application role investigation.read of Microsoft Cloud App Security, with which it
can read activities, and no other right. This needs the Azure CLI, signed in to your tenant ('az login
--tenant TENANT --allow-no-subscriptions') as Privileged Role Administrator, Cloud Application Administrator
or Application Administrator.
HELP
}

client_id='' remove=''
read_options client-id remove "$@"

[ -n "$client_id" ] || fail "--client-id is missing (see --help)"
require_guid --client-id "$client_id"

if [ -n "$remove" ]; then
    sign_in_check
    found=$(ask get "$GRAPH/servicePrincipals?\$filter=appId%20eq%20'$client_id'&\$select=id" 'value[0].id') ||
        give_up "look up the provider's service principal" "that may read applications, such as Directory Readers"
    if [ -z "$found" ]; then
        echo "This tenant has no service principal of the application $client_id; nothing was changed."
        exit 0
    fi
    ask delete "$GRAPH/servicePrincipals/$found" id >/dev/null ||
        give_up "delete the provider's service principal" "Cloud Application Administrator or Application Administrator"
    echo "Removed the provider's service principal $found, and with it the role. Tokens that the provider holds"
    echo "work until they expire, for about an hour."
    exit 0
fi

bash "$here/grant-app-role.sh" --client-id "$client_id"
cat <<NEXT

Send these to the provider:
  tenant id: $(az account show --query tenantId --output tsv)
  API URL:   the Defender portal shows it under Settings, Cloud Apps, About
NEXT
