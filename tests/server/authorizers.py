"""Authorizers that a server under test is told to use."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_server.auth import Authorizer

#: Actions that are allowed, from a file that a test writes.
ALLOWED = "TEST_ALLOWED_ACTIONS"
#: What was asked for is appended here.
ASKED = "TEST_ASKED_ACTIONS"


class Recording(Authorizer):
    """Writes down what it is asked for, and allows the actions that a file names."""

    def is_authorized(self, handler, user, action, resource):
        with Path(os.environ[ASKED]).open("a") as asked:
            asked.write(f"{action} {resource}\n")
        return action in Path(os.environ[ALLOWED]).read_text().split()
