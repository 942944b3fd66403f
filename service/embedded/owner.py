"""Postgres refuses to run as root, so root starts it as the cluster's owner: the system user `okno`, made if missing.

Where that user cannot reach the files (a checkout in root's home), it gets CAP_DAC_OVERRIDE; no folder's mode changes.
"""

import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from service.embedded.folders import EmbeddedServerError

SYSTEM_USER = "okno"


def as_owner(data: Path, binaries: Path) -> list[str]:
    """The words before a command that make it run as the cluster's owner; none where that is who we are."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedServerError("Postgres does not run as root, and setpriv is missing: install util-linux")
    owner = data.stat()
    words = [setpriv, "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid), "--clear-groups"]
    if not (_reaches(owner.st_uid, data) and _reaches(owner.st_uid, binaries)):
        words += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return [*words, "--"]


def _reaches(user: int, path: Path) -> bool:
    """Whether `user` may walk down to `path`."""
    return all(step.stat().st_mode & 0o001 or step.stat().st_uid == user for step in path.parents)


def system_user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    words = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        with suppress(KeyError):  # another Okno may have made it at the same moment
            return pwd.getpwnam(SYSTEM_USER)
        raise EmbeddedServerError(
            f"Postgres does not run as root, and the user {SYSTEM_USER} could not be made: run Okno as another user"
        ) from None
    return pwd.getpwnam(SYSTEM_USER)


def name_of(user: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return str(user)
