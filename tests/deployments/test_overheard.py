"""What a process says past its notebook is read to the end, whether or not it can be kept."""

from __future__ import annotations

import pytest

COPIES = """
import os, subprocess, sys
from orion_nb.deployments.overheard import Overheard

sys.stderr = open(sys.argv[1], "w")
says = [sys.executable, "-c", "print('x' * 1_000_000)"]
process = subprocess.Popen(says, stdout=subprocess.PIPE)
overheard = Overheard(process)
print(process.wait(60), flush=True)
overheard.end()
os._exit(0)  # what is left for stderr can't be written
"""


@pytest.mark.parametrize("log", ["/dev/full", "/dev/null"])
def test_a_full_disk_stops_no_process_that_says_much(script, finish, log):
    assert finish(script(COPIES, log)) == "0\n"
