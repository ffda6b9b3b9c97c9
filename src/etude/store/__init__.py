"""Results by fingerprint: written once, checked when read, shared between processes and hosts."""

from etude.store.codecs import flatten_metrics as flatten_metrics
from etude.store.codecs import is_metrics as is_metrics
from etude.store.codecs import reason_not_storable as reason_not_storable
from etude.store.files.manifest import Damaged as Damaged
from etude.store.files.manifest import Header as Header
from etude.store.files.manifest import Manifest as Manifest
from etude.store.files.manifest import StoredFile as StoredFile
from etude.store.gc import Removed as Removed
from etude.store.lease import Holder as Holder
from etude.store.lease import Lease as Lease
from etude.store.roots import Registration as Registration
from etude.store.store import Store as Store
from etude.store.store import Verification as Verification

__all__ = [
    "Damaged",
    "Header",
    "Holder",
    "Lease",
    "Manifest",
    "Registration",
    "Removed",
    "Store",
    "StoredFile",
    "Verification",
    "flatten_metrics",
    "is_metrics",
    "reason_not_storable",
]
