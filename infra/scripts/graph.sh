# shellcheck shell=bash
# Sourced by the scripts that call Microsoft Graph through the Azure CLI. `az rest` handles the sign-in,
# and its --query (JMESPath) reads the answers, so no other tool is needed.

# shellcheck source=infra/scripts/messages.sh
. "$(dirname "${BASH_SOURCE[0]}")/messages.sh"

readonly API=05a65629-4c1b-48c1-a78b-804c4abdd4af
readonly API_NAME="Microsoft Cloud App Security ($API)"
readonly ROLE=investigation.read

GUID='^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$'

# Changes may take TRIES times WAIT seconds to reach every replica of the directory.
TRIES=${DIRECTORY_TRIES:-12}
WAIT=${DIRECTORY_WAIT_SECONDS:-10}

require_guid() {
    [[ $2 =~ $GUID ]] || fail "$1 is '$2', which is not an id such as 00000000-1111-2222-3333-444444444444"
}

# require_identity PRINCIPAL_ID APP_NAME RESOURCE_GROUP: fail unless they name one identity.
require_identity() {
    local principal_id=$1 app_name=$2 resource_group=$3
    if [ -n "$principal_id" ]; then
        [ -z "$app_name" ] || fail "name one identity: either --principal-id, or --app-name with --resource-group"
        require_guid --principal-id "$principal_id"
    else
        [ -n "$app_name" ] && [ -n "$resource_group" ] || fail "name the identity: either --principal-id, or --app-name with --resource-group"
    fi
}

# sign_in_check: set TENANT and GRAPH, and print the tenant in which changes will be made.
sign_in_check() {
    require_az
    TENANT=$(az account show --query tenantId --output tsv 2>/dev/null) ||
        fail "nobody is signed in: run 'az login'; for a tenant without subscriptions run" \
            "'az login --tenant TENANT --allow-no-subscriptions'"
    GRAPH=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
    GRAPH=${GRAPH%/}/v1.0
    say "Tenant $TENANT, signed in as $(az account show --query user.name --output tsv)"
}

# The reason for the last refusal. It is a file because most calls are made in subshells.
REFUSAL=$(mktemp)
trap 'rm -f "$REFUSAL"' EXIT

# ask METHOD URL QUERY [BODY]: print what QUERY finds in the answer, or nothing.
ask() {
    if [ $# -gt 3 ]; then
        az rest --only-show-errors --method "$1" --url "$2" --query "$3" --output tsv \
            --headers Content-Type=application/json --body "$4" 2>"$REFUSAL"
    else
        az rest --only-show-errors --method "$1" --url "$2" --query "$3" --output tsv 2>"$REFUSAL"
    fi
}

refused_because() {
    grep -Eqi "$1" "$REFUSAL"
}

# patiently WHAT COMMAND...: repeat a command for as long as the directory does not know a new object yet.
patiently() {
    local what=$1 try
    shift
    for ((try = 1; ; try++)); do
        "$@" && return
        refused_because 'Not a valid reference update|Request_ResourceNotFound|too many requests|unavailable|timed? ?out' ||
            return 1
        [ "$try" -lt "$TRIES" ] || return 1
        say "Waiting $WAIT s ($try of $((TRIES - 1))): the directory does not know $what yet"
        sleep "$WAIT"
    done
}

# give_up WHAT ROLES: fail with Graph's answer and with what the user can do about it.
give_up() {
    if refused_because 'Authorization_RequestDenied|Insufficient privileges|Forbidden'; then
        fail "Microsoft Graph does not let you $1." \
            "This needs one of the Entra roles $2." \
            "Activate the role (Privileged Identity Management), sign in again with 'az login', and run this again." \
            "Graph said: $(cat "$REFUSAL")"
    fi
    fail "Microsoft Graph did not $1: $(cat "$REFUSAL")"
}

# count_in_pages URL CONDITION: print how many objects of a list, across all its pages, meet a condition.
count_in_pages() {
    local url=$1 answer count=0
    while [ "$url" != end ]; do
        answer=$(ask get "$url" "join(' ', [to_string(length(value[?$2])), \"@odata.nextLink\" || 'end'])") || return 1
        count=$((count + ${answer%% *}))
        url=${answer#* }
    done
    printf '%s' "$count"
}

# service_principal APPID NAME: print the object id of an application's service principal in this tenant.
# If there is none, create it.
service_principal() {
    local found
    found=$(ask get "$GRAPH/servicePrincipals?\$filter=appId%20eq%20'$1'&\$select=id" 'value[0].id') ||
        give_up "look up the service principal of $2" "that may read applications, such as Directory Readers"
    if [ -z "$found" ]; then
        found=$(ask post "$GRAPH/servicePrincipals" id "{\"appId\": \"$1\"}") ||
            give_up "create a service principal for $2" "Cloud Application Administrator or Application Administrator"
        say "Created the service principal $found of $2, which this tenant lacked"
    fi
    printf '%s' "$found"
}

# api_role ID: print the id of the role for applications that the API has, whose service principal is ID.
api_role() {
    local found
    found=$(patiently "$API_NAME" ask get "$GRAPH/servicePrincipals/$1?\$select=appRoles" \
        "appRoles[?value=='$ROLE' && contains(allowedMemberTypes, 'Application')].id | [0]") ||
        give_up "read the roles of $API_NAME" "that may read applications, such as Directory Readers"
    [ -n "$found" ] || fail "$API_NAME has no application role '$ROLE' in this tenant" \
        "Defender for Cloud Apps has to be licensed and set up in the tenant first: https://security.microsoft.com"
    printf '%s' "$found"
}

# app_identity NAME GROUP: print the object id of a function app's only identity.
app_identity() {
    local found
    found=$(az functionapp identity show --only-show-errors --name "$1" --resource-group "$2" --output tsv \
        --query "join(' ', [principalId, values(userAssignedIdentities || \`{}\`)[].principalId][] | [?@])" 2>"$REFUSAL") ||
        fail "the identity of the function app '$1' in '$2' cannot be read: $(cat "$REFUSAL")" \
            "'az functionapp list' shows the apps of this subscription; --principal-id works without access to them"
    case $found in
    '') fail "the function app '$1' in '$2' has no identity" ;;
    *' '*) fail "the function app '$1' has several identities: $found" \
        "Use --principal-id with the identity whose client id is in the app's setting IDENTITY_CLIENT_ID." ;;
    esac
    printf '%s' "$found"
}
