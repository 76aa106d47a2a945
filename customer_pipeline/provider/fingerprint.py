"""The fingerprint of a configuration: it tells whether something was changed since, and nothing of what it is."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from customer_pipeline.provider.profile import shipped_profiles
from customer_pipeline.provider.references import REFERENCE

_DIGITS = 8


def fingerprint(
    profile: str | os.PathLike[str], environment: Mapping[str, str], *, variables: Iterable[str] = ()
) -> str:
    """Return a fingerprint of a profile's text, of the values of its references and of further `variables`.

    It is shown to everybody who may see a run. Each guess of a secret costs a slow hash, and so few digits are kept
    that guesses fit in great numbers. A missing profile or variable has a fingerprint as well.
    """
    try:
        text = shipped_profiles().get(os.fspath(profile), Path(profile)).read_bytes()
    except (OSError, ValueError) as error:
        text = type(error).__name__.encode()
    names = {*REFERENCE.findall(text.decode(errors="replace")), *variables}
    parts = [text, *(f"{name}={environment.get(name)}".encode(errors="surrogateescape") for name in sorted(names))]
    content = b"".join(len(part).to_bytes(8) + part for part in parts)
    return hashlib.scrypt(content, salt=b"customer_pipeline", n=2**14, r=8, p=1, dklen=_DIGITS // 2).hex()
