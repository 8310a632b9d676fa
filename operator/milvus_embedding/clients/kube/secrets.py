"""Secrets (and ConfigMaps) as they are read and written: what was found, or which of the ways in which it was not.

Plain data for the port and for those who use it; no data of a Secret is ever part of a repr.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SecretFound:
    """A Secret or ConfigMap as read by GET. Its data is not part of its repr."""

    data: Mapping[str, bytes] = dataclasses.field(repr=False)
    labels: Mapping[str, str]
    resource_version: str


@dataclass(frozen=True, slots=True)
class SecretMissing:
    """The API said 404."""


@dataclass(frozen=True, slots=True)
class SecretForbidden:
    """The API said 403: the operator may not read it."""


@dataclass(frozen=True, slots=True)
class SecretFailed:
    """Any other failure; `detail` is clean and short."""

    detail: str


SecretRead = SecretFound | SecretMissing | SecretForbidden | SecretFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretWrite:
    """A whole Secret. `resource_version` is the one that was read, None to create it."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    data: Mapping[str, bytes] = dataclasses.field(repr=False)
    resource_version: str | None


class Conflict(Exception):
    """A write was decided on an older state than the present one. Not an error: look again at once."""


class WriteRefused(Exception):
    """The API refused a write (forbidden, invalid, quota). `str()` is clean and short."""
