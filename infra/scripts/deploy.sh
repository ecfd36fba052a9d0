#!/usr/bin/env bash
# Deploys infrastructure and function with the Azure CLI alone, and checks that the function is there.
# Run again, it changes only what differs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly root=${here%/infra/scripts}
readonly template=$root/infra/main.bicep
readonly PYTHON=${PYTHON:-python3}

# What Azure takes as the name of a deployment; in a variable, since older bash misreads it in place.
readonly NAME='^[A-Za-z0-9._()-]+$'

# How long to wait for what Azure does in its own time, and for one publication.
readonly TRIES=${AZURE_TRIES:-20}
readonly WAIT=${AZURE_WAIT_SECONDS:-30}
readonly PUBLISH_SECONDS=${PUBLISH_SECONDS:-1200}

# shellcheck source=infra/scripts/messages.sh
. "$here/messages.sh"

usage() {
    cat <<'HELP'
Deploy Activity Scan to the subscription that the Azure CLI is signed in to ('az account show').

  deploy.sh --environment NAME --location REGION --api-url URL [--alert-email ADDRESS] [OPTION...]
  deploy.sh --environment NAME --package-only

  --environment          name of this deployment, such as prod
  --location             region, such as westeurope
  --api-url              the tenant's API address: Defender portal, Settings, Cloud Apps, About
  --alert-email          who is written to when something is wrong; without it alerts reach nobody
  --parameters P...      more parameters of infra/main.bicep: one FILE.bicepparam, and NAME=VALUE
  --infrastructure-only  publish no code
  --package-only         publish code to an environment that is there

Needs Python 3.11 or later, and the Azure CLI, signed in as Owner of the subscription, or as
Contributor and Role Based Access Control Administrator.
HELP
}

environment='' location='' api_url='' alert_email='' file='' what=all
parameters=()

take_parameter() {
    case $1 in
    *.bicepparam)
        [ -z "$file" ] || fail "--parameters has two files: $file and $1"
        [ -f "$1" ] || fail "--parameters: there is no file $1"
        file=$1
        ;;
    [A-Za-z]*=*) parameters+=("$1") ;;
    *) fail "--parameters: '$1' is neither FILE.bicepparam nor NAME=VALUE" ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
    --environment) environment=$(value "$@") ;;
    --location) location=$(value "$@") ;;
    --api-url) api_url=$(value "$@") ;;
    --alert-email)
        # Empty is an answer: nobody.
        [ $# -ge 2 ] || fail "--alert-email needs a value (see --help)"
        alert_email=$2
        ;;
    --parameters)
        value "$@" >/dev/null
        shift
        while [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; do
            take_parameter "$1"
            shift
        done
        continue
        ;;
    --infrastructure-only | --package-only)
        [ "$what" = all ] || fail "$1 and the other '-only' exclude each other"
        what=${1#--}
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

[ -n "$environment" ] || fail "--environment is missing (see --help)"
readonly deployment=activity-scan-$environment
[[ $environment =~ $NAME ]] || fail "--environment '$environment' may have letters, digits and . _ - ( ) only"
[ ${#deployment} -le 64 ] || fail "--environment '$environment' is too long: Azure's limit for a deployment's name leaves it 50 characters"
if [ "$what" != package-only ]; then
    [ -n "$location" ] || fail "--location is missing (see --help)"
    [ -n "$api_url$file" ] || fail "--api-url is missing (see --help)"
fi

# parameter NAME: a parameter's value as it will be deployed, as far as it is written plainly.
parameter() {
    local given line
    for given in ${parameters[@]+"${parameters[@]}"}; do
        [ "${given%%=*}" != "$1" ] || line="= ${given#*=}"
    done
    if [ -z "${line-}" ] && [ -n "$file" ]; then
        line=$(grep -E "^param $1 = " "$file" || true)
    fi
    [ -n "${line-}" ] || line=$(grep -E "^param $1 [a-z]+ = " "$template" || true)
    line=${line#*= }
    line=${line#\'}
    printf '%s' "${line%\'}"
}

check_schedule() {
    local schedule
    schedule=$(parameter schedule)
    case $schedule in
    *'('* | *'$'*) say "The schedule is made by $file ($schedule) and was not checked here." ;;
    *)
        "$PYTHON" "$here/check_schedule.py" "$schedule" --time-budget "$(parameter timeBudget)" --next 3 ||
            fail "this schedule would leave an app whose function never starts; nothing was deployed" \
                "Give another one: --parameters 'schedule=0 */5 * * * *'"
        ;;
    esac
}

sign_in_check() {
    require_az
    local account
    account=$(az account show --query "join('', [name, ' (', id, '), signed in as ', user.name])" --output tsv 2>/dev/null) ||
        fail "nobody is signed in: run 'az login', then 'az account set --subscription NAME'"
    say "Subscription $account"
}

# needed_providers: what the template needs registered, with these parameters.
needed_providers() {
    echo Microsoft.Web Microsoft.Storage Microsoft.ManagedIdentity Microsoft.Insights Microsoft.OperationalInsights
    # An app is only let into a network when the last of these two is registered; no template does it.
    [ "$(parameter networkIsolation)" != true ] || echo Microsoft.Network Microsoft.App
    case $(parameter authMode) in client-secret | api-token) echo Microsoft.KeyVault ;; esac
    [ "$(parameter notifications)" != true ] || echo Microsoft.EventGrid
}

# unregistered NAMES: those of the resource providers that are not registered, on one line.
unregistered() {
    local there name
    there=$(az provider list --query "[?registrationState=='Registered'].namespace" --output tsv) ||
        fail "the subscription's resource providers cannot be read; it takes the role Reader on the subscription"
    for name in "$@"; do
        printf '%s\n' "$there" | tr -d '\r' | grep -qix "$name" || printf '%s ' "$name"
    done
}

register_providers() {
    local needed missing name try
    needed=$(needed_providers | tr '\n' ' ')
    # shellcheck disable=SC2086 # a list of names without spaces
    missing=$(unregistered $needed)
    for name in $missing; do
        say "Registering the resource provider $name"
        az provider register --namespace "$name" --only-show-errors --output none 2>"$log" ||
            fail "the resource provider $name cannot be registered: $(cat "$log")" \
                "It takes the role Contributor on the subscription. Ask somebody who has it to run this once:" \
                "az provider register --namespace $name"
    done
    for ((try = 1; try <= TRIES; try++)); do
        [ -n "$missing" ] || return 0
        sleep "$WAIT"
        # shellcheck disable=SC2086 # a list of names without spaces
        missing=$(unregistered $missing)
    done
    [ -z "$missing" ] || fail "not registered after $((TRIES * WAIT)) s: $missing" \
        "Azure takes its time; run this again later. 'az provider list --output table' shows the states."
}

deploy_infrastructure() {
    local given=("environmentName=$environment" "location=$location")
    [ -z "$api_url" ] || given+=("apiUrl=$api_url")
    [ -n "$file$alert_email" ] || say "No --alert-email: alerts will fire and reach nobody."
    [ -n "$file" ] && [ -z "$alert_email" ] || given+=("alertEmail=$alert_email")
    say "Deploying the infrastructure ($deployment); the first time takes a few minutes"
    az deployment sub create --only-show-errors --output none --name "$deployment" --location "$location" \
        --template-file "$template" --parameters ${file:+"$file"} "${given[@]}" ${parameters[@]+"${parameters[@]}"} 2>"$log" || {
        cat "$log" >&2
        explain_failed_deployment
    }
}

explain_failed_deployment() {
    local hint="'az deployment operation sub list --name $deployment' shows which resource failed."
    case $(cat "$log") in
    *AuthorizationFailed*) hint="It takes Owner, or Contributor and Role Based Access Control Administrator, on the subscription." ;;
    *InvalidDeploymentLocation*) hint="This environment was deployed to another region: name that --location, or another --environment." ;;
    *LocationNotAvailable* | *FlexConsumption* | *"not available in"*) hint="Regions of this plan: az functionapp list-flexconsumption-locations --output table" ;;
    *RoleAssignmentUpdateNotPermitted*) hint="An identity of this name was deleted and made anew; delete the role assignments whose principal is unknown." ;;
    *ScopeLocked*) hint="A lock refuses the change; see the locks of the resource group." ;;
    esac
    fail "the deployment $deployment failed, for the reason above" "$hint" "Once mended, run the same command again."
}

# read_outputs NAME...: print outputs of the deployment, one a line; Azure may change their case.
read_outputs() {
    az deployment sub show --name "$deployment" --query properties.outputs --output json 2>"$log" |
        "$PYTHON" -c '
import json, sys
there = {name.upper(): entry.get("value", "") for name, entry in json.load(sys.stdin).items()}
print("\n".join(str(there.get(name, "")) for name in sys.argv[1:]))' "$@" 2>/dev/null
}

find_app() {
    local outputs
    outputs=$(read_outputs AZURE_RESOURCE_GROUP FUNCTION_APP_NAME IDENTITY_PRINCIPAL_ID KEY_VAULT_NAME KEY_VAULT_SECRET_NAME ALERTS_REACH) ||
        fail "there is no deployment $deployment in this subscription: $(cat "$log")" \
            "Deploy it without --package-only first, or choose its subscription with 'az account set'."
    {
        read -r group
        read -r app
        read -r principal
        read -r vault
        read -r secret
        read -r alerts_reach
    } <<<"$outputs"
    [ -n "$group" ] && [ -n "$app" ] || fail "the deployment $deployment has no outputs AZURE_RESOURCE_GROUP and FUNCTION_APP_NAME" \
        "It failed, or is still going on: az deployment sub show --name $deployment --query properties.provisioningState"
}

# publish_once ZIP: publish; what az said is in the log. The command first publishes, then asks the
# app for its health, for ever if the app answers nobody outside its network: so it has a limit.
publish_once() {
    local az waited=0 limit=$((PUBLISH_SECONDS * 5))
    az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$1" \
        --build-remote true --timeout "$PUBLISH_SECONDS" --output none >"$log" 2>&1 &
    az=$!
    while kill -0 "$az" 2>/dev/null; do
        [ "$waited" -lt "$limit" ] || kill "$az" 2>/dev/null || true
        waited=$((waited + 1))
        sleep 0.2
    done
    wait "$az" 2>/dev/null
}

published_all_the_same() {
    grep -Eq 'Checking the health|Deployment was successful|Failed to fetch host' "$log"
}

# Grants to a new identity take minutes to arrive, and a new app's deployment site as well.
passes() {
    grep -Eqi '\b(403|409|429|50[0-9])\b|forbidden|not authorized|InaccessibleStorage|ongoing deployment|timed? ?out|connection (aborted|reset)|temporarily' "$log"
}

publish() {
    local zip=$folder/released-package.zip try
    "$PYTHON" "$here/package.py" "$zip"
    for ((try = 1; try <= TRIES; try++)); do
        say "Publishing to $app; its libraries are installed there, which takes a few minutes"
        publish_once "$zip" && return
        if published_all_the_same; then
            say "Published; the app did not answer for its health, so its functions are looked at instead."
            return
        fi
        passes || break
        [ "$try" -lt "$TRIES" ] || break
        say "Refused ($try of $TRIES); new grants take minutes to arrive, so again in $WAIT s: $(grep -Ei 'error|exception' "$log" | tail -n 1)"
        sleep "$WAIT"
    done
    cat "$log" >&2
    fail "the package was not published to $app, for the reason above" \
        "403 from storage: a policy may have closed the host's storage account (publicNetworkAccess, networkAcls)." \
        "403 or 401 from the app: it takes Website Contributor on it, and access to its deployment site." \
        "Once mended: $0 --environment $environment --package-only"
}

say_what_is_left() {
    local client
    client=$(parameter mdaClientId)
    echo
    echo "Deployed: $app in $group. Alerts reach ${alerts_reach:-nobody}."
    case $(parameter authMode) in
    api-token) ;;
    client-secret) echo "Next, an administrator of the tenant runs once: infra/scripts/grant-app-role.sh --client-id $client" ;;
    federated) echo "Next, an administrator of the tenant runs once: infra/scripts/federate-app.sh --client-id $client --principal-id $principal" ;;
    *) echo "Next, an administrator of the tenant runs once: infra/scripts/grant-app-role.sh --principal-id $principal" ;;
    esac
    [ -z "$vault" ] || echo "Next, an administrator of the vault sets the secret: az keyvault secret set --vault-name $vault --name $secret --file FILE"
    echo "Until then every run fails and loses nothing. What to expect in the first hour: docs/deployment.md"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
readonly log=$folder/log

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "this needs Python 3.11 or later: install it, or name one with PYTHON=/path/to/python"
[ "$what" = package-only ] || check_schedule
sign_in_check
if [ "$what" != package-only ]; then
    register_providers
    deploy_infrastructure
fi
find_app
if [ "$what" != infrastructure-only ]; then
    publish
    "$PYTHON" "$here/check_functions.py" --app-name "$app" --resource-group "$group"
fi
[ "$what" = package-only ] || say_what_is_left
