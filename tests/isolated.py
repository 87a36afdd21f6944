"""File systems and networks of one's own, for tests of what no test may do to a machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest


def isolated(*kinds: str) -> list[str]:
    """Return what a command begins with to have its own mounts or network ("mount", "net"); skip where nobody can."""
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("mount"):
        pytest.skip("mounts and networks of one's own take Linux, unshare and mount")
    command = ["unshare", *(f"--{kind}" for kind in kinds), *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*command, "true"], capture_output=True, timeout=20).returncode:
        pytest.skip("this machine lets nobody have mounts or networks of their own")
    return command
