#!/usr/bin/env bash
# Deploys the infrastructure and the function with nothing but the Azure CLI, then checks that the app has
# its function. Running it again changes only what differs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly root=${here%/infra/scripts}
readonly template=$root/infra/main.bicep
readonly PYTHON=${PYTHON:-python3}

# Characters that Azure allows in the name of a deployment. It is a variable because older versions of bash
# misread the pattern when it is written in place.
readonly NAME='^[A-Za-z0-9._()-]+$'

# How often and how long to wait for slow operations of Azure, and the time limit of one publication.
readonly TRIES=${AZURE_TRIES:-20}
readonly WAIT=${AZURE_WAIT_SECONDS:-30}
readonly PUBLISH_SECONDS=${PUBLISH_SECONDS:-1200}

# How long the app may take to answer its health check once its package is published.
readonly HEALTH_SECONDS=${HEALTH_SECONDS:-30}

# The oldest Azure CLI with all commands and options used here; those for Flex Consumption are the newest.
readonly AZ_OLDEST=2.60.0

# shellcheck source=infra/scripts/messages.sh
. "$here/messages.sh"

usage() {
    cat <<'HELP'
Deploy Activity Scan to the subscription that the Azure CLI is signed in to ('az account show').

  deploy.sh --environment NAME --location REGION --api-url URL [--alert-email ADDRESS] [OPTION...]
  deploy.sh --environment NAME --package-only
  deploy.sh --regions

  --environment          name of the deployment, such as prod
  --location             Azure region, such as westeurope
  --api-url              API URL of the tenant (Defender portal: Settings, Cloud Apps, About)
  --alert-email          email address for alerts; without it, alerts reach nobody
  --parameters P...      further parameters of infra/main.bicep: NAME=VALUE, and at most one
                         FILE.bicepparam
  --table                also deploy the app that keeps a Delta table (docs/table.md); the same as
                         --parameters table=true. Its package is always built, or by Azure
  --infrastructure-only  deploy without publishing a package
  --package-only         publish a package to an existing environment
  --package FILE         publish this package, such as that of a release, instead of building one
  --remote-build         let Azure install the package's libraries instead of installing them here
  --granted              publish without checking that the collector may read activities
  --regions              list the regions with Flex Consumption and whether they have availability zones

This needs Python 3.11 or later and the Azure CLI 2.60 or later, signed in as Owner of the subscription
or as Contributor and Role Based Access Control Administrator. On Windows, run it in WSL or Git Bash. The
Cloud Shell has everything it needs. Running it again changes only what differs.
HELP
}

environment='' location='' api_url='' alert_email='' file='' what=all package='' build=here granted='' table=''
parameters=()

take_parameter() {
    case $1 in
    *.bicepparam)
        [ -z "$file" ] || fail "--parameters names two files: $file and $1"
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
        # An empty address is valid: alerts reach nobody.
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
    --package) package=$(value "$@") ;;
    --remote-build)
        build=there
        shift
        continue
        ;;
    --table)
        table=yes
        parameters+=("table=true")
        shift
        continue
        ;;
    --granted)
        granted=--granted
        shift
        continue
        ;;
    --regions)
        what=regions
        shift
        continue
        ;;
    --infrastructure-only | --package-only)
        [ "$what" = all ] || fail "--infrastructure-only and --package-only cannot be combined"
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

# given_in_file NAME: check whether the parameter file sets a parameter.
given_in_file() {
    [ -n "$file" ] && grep -Eq "^param $1 =" "$file"
}

readonly deployment=activity-scan-$environment
if [ "$what" != regions ]; then
    [ -n "$environment" ] || fail "--environment is missing (see --help)"
    [[ $environment =~ $NAME ]] || fail "--environment '$environment' may have letters, digits and . _ - ( ) only"
    [ ${#deployment} -le 64 ] || fail "--environment '$environment' is too long: it may have 50 characters, because Azure limits the names of deployments"
    [ -z "$package" ] || [ -f "$package" ] || fail "--package: there is no file $package"
fi
if [ "$what" = all ] || [ "$what" = infrastructure-only ]; then
    [ -n "$location" ] || fail "--location is missing (see --help)"
    [ -n "$api_url" ] || given_in_file apiUrl || fail "--api-url is missing (see --help)"
fi

# Azure accepts several spellings of a region, but the names of the resources are derived from this one.
location=$(printf '%s' "$location" | tr '[:upper:]' '[:lower:]' | tr -d ' ')

# parameter NAME: print the value with which a parameter will be deployed, if it is written literally.
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
    *'('* | *'$'*) say "The schedule was not checked, since $file computes it ($schedule)." ;;
    *)
        "$PYTHON" "$here/check_schedule.py" "$schedule" --time-budget "$(parameter timeBudget)" --next 3 ||
            fail "with this schedule the function would never start; nothing was deployed" \
                "Choose another one: --parameters 'schedule=0 */5 * * * *'"
        ;;
    esac
}

# check_address: check the API URL and normalise it.
check_address() {
    local address
    [ "$(parameter allowAnyHost)" != true ] || return 0
    address=$(parameter apiUrl)
    [ -z "$api_url" ] || address=$api_url
    case $address in *'('* | *'$'*) return 0 ;; esac
    address=$("$PYTHON" "$here/check_api_url.py" "$address") || fail "nothing was deployed"
    [ -z "$api_url" ] || api_url=$address
}

# at_least VERSION OLDEST: check whether a version is OLDEST or newer.
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)" = "$2" ]
}

# list_regions: print the regions with Flex Consumption and whether they have zones, or nothing if the Azure
# CLI cannot list them.
list_regions() {
    local with_plan with_zones region
    with_plan=$(az functionapp list-flexconsumption-locations --query '[].name' --output tsv 2>/dev/null) || return 0
    with_zones=$(az account list-locations --query '[?availabilityZoneMappings].name' --output tsv 2>/dev/null) || with_zones=''
    printf '%s\n' "$with_plan" | tr -d '\r ' | tr '[:upper:]' '[:lower:]' | sort | while read -r region; do
        if [ -z "$with_zones" ]; then
            echo "$region unknown"
        elif printf '%s\n' "$with_zones" | tr -d '\r' | grep -qx "$region"; then
            echo "$region zones"
        else
            echo "$region no-zones"
        fi
    done
}

check_region() {
    local regions
    regions=$(list_regions)
    [ -n "$regions" ] || return 0
    case $'\n'$regions in
    *$'\n'"$location zones"* | *$'\n'"$location unknown"*) ;;
    *$'\n'"$location no-zones"*)
        case $(parameter storageRedundancy) in
        *ZRS*) fail "$location has no availability zones, which storageRedundancy $(parameter storageRedundancy) needs; nothing was deployed" \
            "Add --parameters storageRedundancy=Standard_LRS, or Standard_GRS for a copy in another region." \
            "'$0 --regions' lists the regions with zones." ;;
        esac
        ;;
    *) fail "Flex Consumption is not offered in $location; nothing was deployed" "'$0 --regions' lists the regions with Flex Consumption." ;;
    esac
}

# find_deployer: add the parameters that let the person who deploys read the data. In a pipeline there is no
# such person.
find_deployer() {
    local id
    case " ${parameters[*]-} " in *' deployerId='*) return 0 ;; esac
    if given_in_file deployerId || [ "$signed_in_as" != user ]; then return 0; fi
    id=$(az ad signed-in-user show --query id --output tsv 2>/dev/null | tr -d '\r') || id=''
    if [ -n "$id" ]; then
        parameters+=("deployerId=$id" "deployerType=User")
    else
        say "Your object id is unknown, because the directory cannot be read, so nobody may read the data. Add" \
            "--parameters deployerId=YOUR-OBJECT-ID, or set the parameter readers."
    fi
}

sign_in_check() {
    require_az
    local found version
    version=$(az version --query '"azure-cli"' --output tsv 2>/dev/null | tr -d '\r') || version=''
    [ -z "$version" ] || at_least "$version" "$AZ_OLDEST" ||
        fail "the Azure CLI is $version; $AZ_OLDEST or later is needed: run 'az upgrade'"
    found=$(az account show --query "join(' ', [user.type || 'user', id, user.name, name])" --output tsv 2>/dev/null) ||
        fail "nobody is signed in: run 'az login', then 'az account set --subscription NAME'"
    read -r signed_in_as subscription user name <<<"$(printf '%s' "$found" | tr -d '\r')"
    say "Subscription $name ($subscription), signed in as $user"
}

# needed_providers: print the resource providers that the template needs with these parameters.
needed_providers() {
    echo Microsoft.Web Microsoft.Storage Microsoft.ManagedIdentity Microsoft.Insights Microsoft.OperationalInsights
    # An app can only join a network if Microsoft.App is registered, which no template does.
    [ "$(parameter networkIsolation)" != true ] || echo Microsoft.Network Microsoft.App
    case $(parameter authMode) in client-secret | api-token) echo Microsoft.KeyVault ;; esac
    [ "$(parameter notifications)" != true ] || echo Microsoft.EventGrid
}

# unregistered NAMES: print those of the resource providers that are not registered, on one line.
unregistered() {
    local there name
    there=$(az provider list --query "[?registrationState=='Registered'].namespace" --output tsv) ||
        fail "the subscription's resource providers cannot be read; this needs the role Reader on the subscription"
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
                "This needs the role Contributor on the subscription. Ask somebody who has it to run this once:" \
                "az provider register --namespace $name"
    done
    for ((try = 1; try <= TRIES; try++)); do
        [ -n "$missing" ] || return 0
        sleep "$WAIT"
        # shellcheck disable=SC2086 # a list of names without spaces
        missing=$(unregistered $missing)
    done
    [ -z "$missing" ] || fail "not registered after $((TRIES * WAIT)) s: $missing" \
        "This can take a while; run this again later. 'az provider list --output table' shows the states."
}

deploy_infrastructure() {
    local given=("environmentName=$environment" "location=$location")
    [ -z "$api_url" ] || given+=("apiUrl=$api_url")
    if [ -n "$alert_email" ] || ! given_in_file alertEmail; then
        given+=("alertEmail=$alert_email")
        [ -n "$alert_email" ] || say "No --alert-email: alerts will fire but reach nobody."
    fi
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
    *RedundancyConfigurationNotAvailable* | *_ZRS* | *ZRS,*) hint="This region has no availability zones. Add --parameters storageRedundancy=Standard_LRS, or Standard_GRS; '$0 --regions' lists the regions with zones." ;;
    *AuthorizationFailed*) hint="This needs Owner, or Contributor and Role Based Access Control Administrator, on the subscription." ;;
    *InvalidDeploymentLocation*) hint="This environment was deployed to another region: use that region as --location, or choose another --environment." ;;
    *LocationNotAvailable* | *FlexConsumption* | *"not available in"*) hint="'$0 --regions' lists the regions with this plan (az functionapp list-flexconsumption-locations)." ;;
    *RoleAssignmentUpdateNotPermitted*) hint="An identity of this name was deleted and created again: delete the role assignments whose principal is unknown." ;;
    *ScopeLocked*) hint="A lock prevents the change: check the locks of the resource group." ;;
    esac
    fail "the deployment $deployment failed for the reason above" "$hint" "Then run the same command again."
}

# read_outputs NAME...: print outputs of the deployment, one per line. Azure may change the case of their
# names. The last line is "end": without it, a command substitution would drop empty outputs at the end.
read_outputs() {
    az deployment sub show --name "$deployment" --query properties.outputs --output json 2>"$log" |
        "$PYTHON" -c '
import json, sys
there = {name.upper(): entry.get("value", "") for name, entry in json.load(sys.stdin).items()}
print("\n".join([*(str(there.get(name, "")) for name in sys.argv[1:]), "end"]))' "$@" 2>/dev/null
}

find_app() {
    local outputs
    outputs=$(read_outputs AZURE_RESOURCE_GROUP FUNCTION_APP_NAME IDENTITY_PRINCIPAL_ID KEY_VAULT_NAME KEY_VAULT_SECRET_NAME KEY_VAULT_SCAN_SECRETS ALERTS_REACH MDA_AUTH MDA_CLIENT_ID MDA_TENANT_ID TABLE_APP_NAME) ||
        fail "there is no deployment $deployment in this subscription: $(cat "$log")" \
            "Deploy it without --package-only first, or choose its subscription with 'az account set'."
    {
        read -r group
        read -r app
        read -r principal
        read -r vault
        read -r secret
        read -r scan_secrets
        read -r alerts_reach
        read -r auth
        read -r client
        read -r tenant
        read -r table_app
    } <<<"$outputs"
    app_id=/subscriptions/$subscription/resourceGroups/$group/providers/Microsoft.Web/sites/$app
    [ -n "$group" ] && [ -n "$app" ] || fail "the deployment $deployment has no outputs AZURE_RESOURCE_GROUP and FUNCTION_APP_NAME" \
        "It failed or is still in progress: az deployment sub show --name $deployment --query properties.provisioningState"
    [ -z "$table" ] || [ -n "$table_app" ] || fail "the deployment $deployment has no app for the table" \
        "Deploy it with --table and without --package-only first."
}

# publish_once ZIP: publish the package, with the output of az in the log. After publishing, az polls the
# app's health, without end if the app accepts no requests from outside its network. So this stops az and its
# children soon after the log shows the result, and in any case after PUBLISH_SECONDS.
publish_once() {
    local az waited=0 limit=$((PUBLISH_SECONDS * 5)) known=0
    set -m # Gives az its own process group, so that it can be stopped together with its children.
    az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$1" \
        --build-remote "$([ "$build" = there ] && echo true || echo false)" \
        --timeout "$PUBLISH_SECONDS" --output none >"$log" 2>&1 &
    az=$!
    set +m
    while [ "$(jobs -r -p)" = "$az" ]; do
        published_all_the_same && known=$((known + 1))
        if [ "$waited" -ge "$limit" ] || [ "$known" -gt $((HEALTH_SECONDS * 5)) ]; then
            kill -- "-$az" 2>/dev/null || true
            break
        fi
        waited=$((waited + 1))
        [ $((waited % 150)) -ne 0 ] || say "Still publishing, after $((waited / 5)) s: $(tail -n 1 "$log" | cut -c 1-120)"
        sleep 0.2
    done
    wait "$az" 2>/dev/null
}

published_all_the_same() {
    grep -Eq 'Checking the health|Deployment was successful|Failed to fetch host' "$log"
}

# Faults that pass: the role assignments of a new identity and the deployment site of a new app both take
# minutes to work.
passes() {
    grep -Eqi '\b(403|409|429|50[0-9])\b|forbidden|not authorized|InaccessibleStorage|ongoing deployment|timed? ?out|connection (aborted|reset)|temporarily' "$log"
}

# take_release: download the package of the release that is checked out, and check its digest. Fails in any
# other working copy, whose code no release contains.
take_release() {
    local origin
    release=${RELEASE_URL-}
    if [ -z "$release" ]; then
        release=$(git -C "$root" describe --tags --exact-match 2>/dev/null) || return 1
        [ -z "$(git -C "$root" status --porcelain 2>/dev/null)" ] || return 1
        origin=$(git -C "$root" remote get-url origin 2>/dev/null) || return 1
        origin=${origin%.git}
        origin=${origin#*github.com}
        release=https://github.com/${origin#[:/]}/releases/download/$release
    fi
    say "Downloading the package of $release"
    curl --fail --silent --show-error --location --output "$zip" "$release/released-package.zip" &&
        curl --fail --silent --show-error --location --output "$folder/SHA256SUMS" "$release/SHA256SUMS" || return 1
    "$PYTHON" - "$zip" "$folder/SHA256SUMS" <<'CHECK' || fail "the release's package does not match its digest; nothing was published"
import hashlib, pathlib, sys
package, digests = map(pathlib.Path, sys.argv[1:])
wanted = f"{hashlib.sha256(package.read_bytes()).hexdigest()}  {package.name}"
sys.exit(wanted not in digests.read_text().splitlines())
CHECK
}

# make_package: set zip to the package, and built to what installed its libraries.
make_package() {
    zip=$folder/released-package.zip
    if [ -n "$package" ]; then
        cp "$package" "$zip"
        built="by whoever made $package, for $("$PYTHON" "$here/libraries.py" --python-of "$zip")" ||
            fail "nothing was published: use the package of a release, released-package.zip"
    elif [ "$build" = there ]; then
        "$PYTHON" "$here/package.py" "$zip"
        built=  # The check at the end finds it out.
    else
        if "$PYTHON" "$here/package.py" "$zip" --libraries; then
            built="here, for Python 3.13"
        elif take_release; then
            built="by the release $release, for Python 3.13"
        else
            fail "the package was not built for the reason above; nothing was published" \
                "Install uv (https://docs.astral.sh/uv/) or Python 3.13, or use a release's package (--package FILE)," \
                "or let Azure install the libraries (--remote-build)."
        fi
    fi
}

# check_access: check the role before publishing. The platform would keep a token without it for about a day.
check_access() {
    "$PYTHON" "$here/check_access.py" --auth "${auth:-managed-identity}" --principal-id "$principal" --client-id "$client" \
        --tenant-id "$tenant" --vault "$vault" --secret "$secret" $granted ||
        fail "$app exists but has no package yet" "Once that is done, run: $0 --environment $environment --package-only"
}

# make_table_package: set zip to the package of the table's app, and built as make_package does.
make_table_package() {
    zip=$folder/table.zip built=
    [ "$build" = here ] || {
        "$PYTHON" "$here/package.py" "$zip" --app table
        return
    }
    "$PYTHON" "$here/package.py" "$zip" --app table --libraries ||
        fail "the package of the table's app was not built for the reason above; the collector's is published" \
            "Install uv (https://docs.astral.sh/uv/) or Python 3.13, or let Azure install the libraries (--remote-build)," \
            "and run: $0 --environment $environment --package-only"
    built="here, for Python 3.13"
}

# publish APP MAKE FUNCTION: publish the package that the command MAKE makes, and check that the app has this
# function.
publish() {
    local app=$1 zip built try release
    "$2"
    for ((try = 1; try <= TRIES; try++)); do
        say "Publishing to $app; this takes a few minutes"
        if publish_once "$zip"; then break; fi
        if published_all_the_same; then
            say "Published. The app did not answer its health check, so its functions are checked instead."
            break
        fi
        if ! passes || [ "$try" -ge "$TRIES" ]; then not_published; fi
        say "Refused ($try of $TRIES). New grants take minutes to work, so this tries again in $WAIT s: $(grep -Ei 'error|exception' "$log" | tail -n 1)"
        sleep "$WAIT"
    done
    local who=(--built-with "$built")
    [ -n "$built" ] || who=(--built-there)
    "$PYTHON" "$here/check_functions.py" --app-name "$app" --resource-group "$group" --function "$3" "${who[@]}"
}

not_published() {
    cat "$log" >&2
    fail "the package was not published to $app for the reason above" \
        "403 from storage: a policy may have closed the host's storage account (publicNetworkAccess, networkAcls)." \
        "403 or 401 from the app: publishing needs Website Contributor on it and access to its deployment site." \
        "Then run: $0 --environment $environment --package-only"
}

# say_what_is_left: print what remains to be done before the package can be published.
say_what_is_left() {
    echo
    echo "Deployed: $app in $group. Alerts reach ${alerts_reach:-nobody}."
    if [ "$what" = infrastructure-only ]; then
        case ${auth:-managed-identity} in
        api-token) ;;
        client-secret) echo "Next, an administrator of the tenant runs once: infra/scripts/grant-app-role.sh --client-id $client" ;;
        federated) echo "Next, an administrator of the tenant runs once: infra/scripts/federate-app.sh --client-id $client --principal-id $principal" ;;
        *) echo "Next, an administrator of the tenant runs once: infra/scripts/grant-app-role.sh --principal-id $principal" ;;
        esac
        [ -z "$secret" ] || echo "Next, an administrator of the vault sets the secret: az keyvault secret set --vault-name $vault --name $secret --file FILE"
        echo "Then publish: $0 --environment $environment --package-only"
    fi
    local name
    for name in ${scan_secrets//,/ }; do
        echo "Once, an administrator of the vault sets the secret of a scan: az keyvault secret set --vault-name $vault --name $name --file FILE"
    done
    [ -z "$vault" ] || echo "To make a new secret take effect at once: az rest --method post --url \"$app_id/config/configreferences/appsettings/refresh?api-version=2024-04-01\""
    echo "What to expect in the first hour: docs/deployment.md"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
readonly log=$folder/log

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "this needs Python 3.11 or later: install it, or set PYTHON=/path/to/python"
if [ "$what" = regions ]; then
    require_az
    regions=$(list_regions)
    [ -n "$regions" ] || fail "the regions cannot be listed: is somebody signed in ('az login')?"
    printf '%s\n' "$regions"
    exit 0
fi
if [ "$what" != package-only ]; then
    check_schedule
    check_address
fi
sign_in_check
if [ "$what" != package-only ]; then
    check_region
    find_deployer
    register_providers
    deploy_infrastructure
fi
find_app
if [ "$what" != infrastructure-only ]; then
    check_access
    publish "$app" make_package scan_activities
    [ -z "$table_app" ] || publish "$table_app" make_table_package write_table
fi
[ "$what" = package-only ] || say_what_is_left
