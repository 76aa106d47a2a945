"""Reason codes of the quarantine: why a record could not be normalized. They are stored, so none is ever renamed."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a record is in quarantine; the first one that applies, in this order."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    ID_MISSING = "id_missing"
    ID_UNUSABLE = "id_unusable"
    UPDATED_AT_MISSING = "updated_at_missing"
    UPDATED_AT_UNUSABLE = "updated_at_unusable"
    UPDATED_AT_TOO_OLD = "updated_at_too_old"
    UPDATED_AT_IN_FUTURE = "updated_at_in_future"
