"""Fixtures of the integration tests.

SPDX-License-Identifier: MIT
"""

import shutil
import tempfile

import pytest


@pytest.fixture
def sockets():
    """A new folder with a short path, for ipc sockets and databases."""
    folder = tempfile.mkdtemp(prefix="lct", dir="/tmp")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
