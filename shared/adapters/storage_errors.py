"""What the error codes of the storage service mean for a scan, and what to do about each.

The tables hold the codes that Blob Storage documents and that our requests can cause. A code in the
first table concerns one blob. If the blob is a part, only its slice is held up; if it is the ledger
or a manifest, the run ends. A code in the second table concerns a container, the account or the
request, and always ends the run. `docs/runbook.md#storage` lists both.
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
"""Answers to a create-only write when the blob already exists."""

ABSENT_CODES = frozenset({"BlobNotFound", "PathNotFound"})
"""Answers to a request for a blob that does not exist, in a container that does."""

REHYDRATE = "move it back to the hot or cool tier, which can take 15 hours"
REHYDRATING = "wait until it is back from the archive tier, which can take 15 hours"
IMMUTABLE = "keep immutability policies and legal holds away from the state container"
LEASED = "break the lease; nothing but this program may lease its blobs"
ENCRYPTION = "check the encryption key in Key Vault, and that the storage account may use it"
OWN_KEY = "write it again without a key or scope of its own, or remove it"
COPYING = "wait for the copy to end, or abort it"
STRANGER = "another program wrote it: move it elsewhere"
FOLDER = "a folder has its name: remove the folder"
SNAPSHOTS = "delete the blob's snapshots"


def _by_code(remedies: dict[str, str]) -> dict[str, str]:
    """Return the remedy for each code; a remedy is followed by its codes."""
    return {code: remedy for remedy, codes in remedies.items() for code in codes.split()}


BLOB_CODES: dict[str, str] = _by_code(
    {
        REHYDRATE: """
            BlobAccessTierNotSupportedForAccountType
            BlobArchived
            BlobNotArchived
            BlobTierInadequateForContentLength
            CannotChangeToLowerTier
            ContentLengthLargerThanTierLimit
            InvalidBlobTier
        """,
        STRANGER: """
            BlobAlreadyExists
            BlobOperationNotSupported
            ConditionNotMet
            FeatureVersionMismatch
            InvalidBlobOrBlock
            InvalidBlobType
            InvalidBlockId
            OperationNotAllowedOnIncrementalCopyBlob
            TargetConditionNotMet
        """,
        REHYDRATING: "BlobBeingRehydrated",
        OWN_KEY: """
            BlobCustomerSpecifiedEncryptionMismatch
            BlobDoesNotUseCustomerSpecifiedEncryption
            BlobUsesCustomerSpecifiedEncryption
            EncryptionScopeDisabled
            EncryptionScopeNotFound
        """,
        IMMUTABLE: """
            BlobImmutableDueToLegalHold
            BlobImmutableDueToPolicy
        """,
        "another program replaced it while it was read: find that program": "BlobOverwritten",
        "wait until its uncommitted blocks expire, a week after the last": "BlockCountExceedsLimit",
        "it was cut short while it was read, or is damaged: restore it": "InvalidRange",
        ENCRYPTION: """
            KeyVaultAccessTokenCannotBeAcquired
            KeyVaultEncryptionKeyNotFound
            KeyVaultVaultNotFound
        """,
        LEASED: """
            LeaseAlreadyPresent
            LeaseIdMismatchWithBlobOperation
            LeaseIdMismatchWithLeaseOperation
            LeaseIdMissing
            LeaseIsBreakingAndCannotBeAcquired
            LeaseIsBreakingAndCannotBeChanged
            LeaseIsBrokenAndCannotBeRenewed
            LeaseLost
            LeaseNotPresentWithBlobOperation
        """,
        FOLDER: """
            OperationNotSupportedOnDirectory
            PathConflict
            ResourceTypeMismatch
        """,
        COPYING: "PendingCopyOperation",
        SNAPSHOTS: "SnapshotsPresent",
        "give the identity a role that may overwrite blobs": "UnauthorizedBlobOverwrite",
    }
)
"""Codes that concern one blob, with what to do about it.

If a key vault refuses, the whole account may be affected. Then the ledger cannot be saved either,
which ends the run. As long as it can be saved, only blobs with an encryption scope are affected.
"""

ROLE = (
    "give this identity the role Storage Blob Data Contributor on the container (a new grant takes "
    "some minutes), and check the account's network rules"
)
CONTAINER = "check the STORAGE_*_CONTAINER settings, or create the container"
BUSY = "nothing needs to be done: the next run tries again"
DISABLED = "enable the account or the container again"
CLOCK = "check the machine's clock, and that STORAGE_ACCOUNT_URL is the account's blob endpoint"
REQUEST = "this is a defect, or a proxy changes requests: report it with the log"

STORE_CODES: dict[str, str] = _by_code(
    {
        BUSY: """
            AccountBeingCreated
            InternalError
            Md5Mismatch
            OperationTimedOut
            ServerBusy
            SystemInUse
        """,
        DISABLED: """
            AccountIsDisabled
            ContainerDisabled
        """,
        ROLE: """
            AuthenticationFailed
            AuthorizationFailure
            AuthorizationPermissionMismatch
            AuthorizationResourceTypeMismatch
            AuthorizationServiceMismatch
            AuthorizationSourceIPMismatch
            InsufficientAccountPermissions
            NoAuthenticationInformation
            PublicAccessNotPermitted
        """,
        "use https in STORAGE_ACCOUNT_URL": "AuthorizationProtocolMismatch",
        REQUEST: """
            ConditionHeadersNotSupported
            InvalidHeaderValue
            InvalidInput
            InvalidQueryParameterValue
            RequestBodyTooLarge
            UnsupportedHeader
        """,
        "wait until the container is deleted, and create it again": "ContainerBeingDeleted",
        CONTAINER: """
            ContainerNotFound
            FilesystemNotFound
            InvalidResourceName
            InvalidUri
            ResourceNotFound
        """,
        CLOCK: "InvalidAuthenticationInfo",
        LEASED: """
            LeaseIdMismatchWithContainerOperation
            LeaseNotPresentWithContainerOperation
        """,
    }
)
"""Codes that concern a container, the account or the request, with what to do about it."""

BLOB_STATUSES = frozenset({409, 412, 416})
"""A code that is in neither table concerns the blob if it comes with one of these statuses."""


def error_code(error: AzureError) -> str | None:
    """Return the service's own name for what is wrong, such as `BlobNotFound`."""
    code = getattr(error, "error_code", None)
    return getattr(code, "value", code)  # The SDK has text or an enum here, depending on the error.


def is_absent(error: AzureError) -> bool:
    """Say whether the blob does not exist, although its container does."""
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
    """Return an error that says what failed, on what, why, and what to do."""
    return StoreUnavailable(_sentence(error, action, url))


def explained_part(error: AzureError, action: str, url: str) -> StoreError:
    """Return the error of a request for one part; `PartUnreadable` if only the part is affected."""
    if concerns_blob(error):
        return PartUnreadable(_sentence(error, action, url))
    return explained(error, action, url)


def _sentence(error: AzureError, action: str, url: str) -> str:
    remedy = _remedy(error)
    place = url.partition("?")[0]
    return f"could not {action} {place}: {reason(error)}. {remedy[0].upper()}{remedy[1:]}"


def reason(error: AzureError) -> str:
    """Return why a request failed: as the service answered, or in the error's own words.

    A refused sign-in is an error of the same class as an answer, but has no status.
    """
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return f"HTTP {error.status_code} {error_code(error) or error.reason}"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _remedy(error: AzureError) -> str:
    own: str | None = getattr(error, "remedy", None)
    if own:
        return own  # Signing in failed, before any request to storage.
    known = {**BLOB_CODES, **STORE_CODES}.get(error_code(error) or "")
    if known:
        return known
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status == HTTP_FORBIDDEN:
        return ROLE
    if status == HTTP_NOT_FOUND:
        return CONTAINER
    return "check STORAGE_ACCOUNT_URL and the network; the next run tries again"
