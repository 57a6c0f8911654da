"""Names of the user's own files: data, of which nothing may be assumed, as safe names and as text to show."""

import hashlib
import os
import re


def safe_name(text: str, whole: str | None = None) -> str:
    r"""A name for files that tells as much of a text as is safe in a path, and a hash that makes it the only one.

    Args:
        text: any.
        whole: what is hashed, if it is more than `text`.

    >>> safe_name("me & you.jpg"), safe_name("-рожа\n")
    ('me_you.jpg-84b58db76bd4', 'a115de5aa4c4')
    """
    plain = re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("._")[:40]
    digest = hashlib.sha256(os.fsencode(text if whole is None else whole)).hexdigest()[:12]
    return f"{plain}-{digest}" if plain else digest


def printable(text: str) -> str:
    r"""Text with what cannot be shown, or breaks a line, written as an escape.

    >>> printable("größe\n.png")
    'größe\\n.png'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
