"""What the storage service's error codes mean here, and what a person does about each.

The codes are those that Blob Storage documents and that our requests can meet. A code of the
first table concerns one blob: for a part, that is the part's trouble, which holds up its slice and
nothing else; for the ledger or a manifest it ends the run. A code of the second concerns a
container, the account or the request, and always ends it. `docs/runbook.md#storage` lists both.
"""

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from shared.core.errors import PartUnreadable, StoreError, StoreUnavailable

HTTP_FORBIDDEN = 403
HTTP_NOT_FOUND = 404

EXISTS_CODES = frozenset(
    {
        "BlobAlreadyExists",
        "BlobImmutableDueToLegalHold",
        "BlobImmutableDueToPolicy",
        "ConditionNotMet",
        "TargetConditionNotMet",
        "UnauthorizedBlobOverwrite",
    }
)
"""What a create-only write is told where something is already."""

ABSENT_CODES = frozenset({"BlobNotFound", "PathNotFound"})
"""What a request for a blob is told where there is none, its container being there."""

REHYDRATE = "move it back to the hot or cool tier, which can take 15 hours"
IMMUTABLE = "keep immutability policies and legal holds away from the state container"
LEASED = "break the lease; nothing but this program may lease its blobs"
ENCRYPTION = "check the encryption key in Key Vault, and that the storage account may use it"
OWN_KEY = "write it again without a key or scope of its own, or remove it"
COPYING = "wait for the copy to end, or abort it"
STRANGER = "another program wrote it: move it elsewhere"
FOLDER = "a folder has its name: remove the folder"
SNAPSHOTS = "delete the blob's snapshots"

BLOB_CODES: dict[str, str] = {
    "BlobAccessTierNotSupportedForAccountType": REHYDRATE,
    "BlobAlreadyExists": STRANGER,
    "BlobArchived": REHYDRATE,
    "BlobBeingRehydrated": "wait until it is back from the archive tier, which can take 15 hours",
    "BlobCustomerSpecifiedEncryptionMismatch": OWN_KEY,
    "BlobDoesNotUseCustomerSpecifiedEncryption": OWN_KEY,
    "BlobImmutableDueToLegalHold": IMMUTABLE,
    "BlobImmutableDueToPolicy": IMMUTABLE,
    "BlobNotArchived": REHYDRATE,
    "BlobOperationNotSupported": STRANGER,
    "BlobOverwritten": "another program replaced it while it was read: find that program",
    "BlobTierInadequateForContentLength": REHYDRATE,
    "BlobUsesCustomerSpecifiedEncryption": OWN_KEY,
    "BlockCountExceedsLimit": "wait until its uncommitted blocks expire, a week after the last",
    "CannotChangeToLowerTier": REHYDRATE,
    "ConditionNotMet": STRANGER,
    "ContentLengthLargerThanTierLimit": REHYDRATE,
    "EncryptionScopeDisabled": OWN_KEY,
    "EncryptionScopeNotFound": OWN_KEY,
    "FeatureVersionMismatch": STRANGER,
    "InvalidBlobOrBlock": STRANGER,
    "InvalidBlobTier": REHYDRATE,
    "InvalidBlobType": STRANGER,
    "InvalidBlockId": STRANGER,
    "InvalidRange": "it was cut short while it was read, or is damaged: restore it",
    "KeyVaultAccessTokenCannotBeAcquired": ENCRYPTION,
    "KeyVaultEncryptionKeyNotFound": ENCRYPTION,
    "KeyVaultVaultNotFound": ENCRYPTION,
    "LeaseAlreadyPresent": LEASED,
    "LeaseIdMismatchWithBlobOperation": LEASED,
    "LeaseIdMismatchWithLeaseOperation": LEASED,
    "LeaseIdMissing": LEASED,
    "LeaseIsBreakingAndCannotBeAcquired": LEASED,
    "LeaseIsBreakingAndCannotBeChanged": LEASED,
    "LeaseIsBrokenAndCannotBeRenewed": LEASED,
    "LeaseLost": LEASED,
    "LeaseNotPresentWithBlobOperation": LEASED,
    "OperationNotAllowedOnIncrementalCopyBlob": STRANGER,
    "OperationNotSupportedOnDirectory": FOLDER,
    "PathConflict": FOLDER,
    "PendingCopyOperation": COPYING,
    "ResourceTypeMismatch": FOLDER,
    "SnapshotsPresent": SNAPSHOTS,
    "TargetConditionNotMet": STRANGER,
    "UnauthorizedBlobOverwrite": "give the identity a role that may overwrite blobs",
}
"""Codes that concern one blob, with what to do about it.

A key vault that refuses may concern the whole account. Then the ledger cannot be saved either,
which ends the run; while it can, only blobs with an encryption scope of their own are concerned.
"""

ROLE = (
    "give this identity the role Storage Blob Data Contributor on the container (a new grant takes "
    "some minutes), and check the account's network rules"
)
CONTAINER = "check the STORAGE_*_CONTAINER settings, or create the container"
BUSY = "nothing: the next run tries again"
DISABLED = "enable the account or the container again"
CLOCK = "check the machine's clock, and that STORAGE_ACCOUNT_URL is the account's blob endpoint"
REQUEST = "this is a defect, or a proxy changes requests: report it with the log"

STORE_CODES: dict[str, str] = {
    "AccountBeingCreated": BUSY,
    "AccountIsDisabled": DISABLED,
    "AuthenticationFailed": ROLE,
    "AuthorizationFailure": ROLE,
    "AuthorizationPermissionMismatch": ROLE,
    "AuthorizationProtocolMismatch": "use https in STORAGE_ACCOUNT_URL",
    "AuthorizationResourceTypeMismatch": ROLE,
    "AuthorizationServiceMismatch": ROLE,
    "AuthorizationSourceIPMismatch": ROLE,
    "ConditionHeadersNotSupported": REQUEST,
    "ContainerBeingDeleted": "wait until the container is deleted, and create it again",
    "ContainerDisabled": DISABLED,
    "ContainerNotFound": CONTAINER,
    "FilesystemNotFound": CONTAINER,
    "InsufficientAccountPermissions": ROLE,
    "InternalError": BUSY,
    "InvalidAuthenticationInfo": CLOCK,
    "InvalidHeaderValue": REQUEST,
    "InvalidInput": REQUEST,
    "InvalidQueryParameterValue": REQUEST,
    "InvalidResourceName": CONTAINER,
    "InvalidUri": CONTAINER,
    "LeaseIdMismatchWithContainerOperation": LEASED,
    "LeaseNotPresentWithContainerOperation": LEASED,
    "Md5Mismatch": BUSY,
    "NoAuthenticationInformation": ROLE,
    "OperationTimedOut": BUSY,
    "PublicAccessNotPermitted": ROLE,
    "RequestBodyTooLarge": REQUEST,
    "ResourceNotFound": CONTAINER,
    "ServerBusy": BUSY,
    "SystemInUse": BUSY,
    "UnsupportedHeader": REQUEST,
}
"""Codes that concern a container, the account or the request, with what to do about it."""

BLOB_STATUSES = frozenset({409, 412, 416})
"""A code that is in no table concerns the blob when it has one of these statuses."""


def error_code(error: AzureError) -> str | None:
    """Return the service's own name for what is wrong, such as `BlobNotFound`."""
    code = getattr(error, "error_code", None)
    return getattr(code, "value", code)  # The SDK gives a text or an enum, by the kind of error.


def is_absent(error: AzureError) -> bool:
    """Say whether the service has no blob of this name, its container being there."""
    return error_code(error) in ABSENT_CODES


def concerns_blob(error: AzureError) -> bool:
    """Say whether an error is about the blob that was asked for, and not about all of storage."""
    code = error_code(error)
    if code in STORE_CODES:
        return False
    if code in BLOB_CODES:
        return True
    return isinstance(error, HttpResponseError) and error.status_code in BLOB_STATUSES


def explained(error: AzureError, action: str, url: str) -> StoreUnavailable:
    """Return the error for people: what failed, on what, why, and what to do."""
    return StoreUnavailable(_sentence(error, action, url))


def explained_part(error: AzureError, action: str, url: str) -> StoreError:
    """Return the error of a request for one part: that part's trouble where it is no more."""
    if concerns_blob(error):
        return PartUnreadable(_sentence(error, action, url))
    return explained(error, action, url)


def _sentence(error: AzureError, action: str, url: str) -> str:
    remedy = _remedy(error)
    place = url.partition("?")[0]
    return f"could not {action} {place}: {_reason(error)}. {remedy[0].upper()}{remedy[1:]}"


def _reason(error: AzureError) -> str:
    if isinstance(error, HttpResponseError):
        return f"HTTP {error.status_code} {error_code(error) or error.reason}"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _remedy(error: AzureError) -> str:
    own: str | None = getattr(error, "remedy", None)
    if own:
        return own  # It failed before storage was asked, when signing in.
    known = {**BLOB_CODES, **STORE_CODES}.get(error_code(error) or "")
    if known:
        return known
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status == HTTP_FORBIDDEN:
        return ROLE
    if status == HTTP_NOT_FOUND:
        return CONTAINER
    return "check STORAGE_ACCOUNT_URL and the network; the next run tries again"
