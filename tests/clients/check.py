"""What a scene of the client tests expects, and how it says that it got something else."""

import re
import time
from collections.abc import Iterator

# So long, in seconds, anything may take that is waited for. Far more than it takes on an idle machine.
PATIENCE = 10.0


class Failure(Exception):
    """Something is not as it should be; the text says what."""


def expect_equal(got: object, wanted: object, what: str) -> None:
    if got != wanted:
        raise Failure(f"{what}: {got!r} instead of {wanted!r}")


def expect_match(text: str, pattern: str | re.Pattern[str]) -> re.Match[str]:
    """The pattern's first match in what a client has shown."""
    found = re.search(pattern, text)
    if found is None:
        raise Failure(f"no /{pattern}/ in {text.strip()[-400:]!r}")
    return found


def attempts(what: str) -> Iterator[None]:
    """Another round for as long as patience lasts. Each round has to await something itself."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        yield
    raise Failure(f"waited in vain: {what}")
