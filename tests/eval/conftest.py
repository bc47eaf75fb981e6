"""What the tests of scoring share."""

import pytest

from tests.eval.scenes import NAMES, write


@pytest.fixture
def place(tmp_path):
    write(tmp_path, NAMES)
    return tmp_path
