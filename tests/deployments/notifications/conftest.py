"""An Orion that may tell this machine, somebody who listens on it, and a way to tell him now."""

from __future__ import annotations

import pytest

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.notices import Notices
from orion_nb.settings import Settings
from tests.deployments.receiving import Receiver


@pytest.fixture
def orion(home):
    opened = Orion(Settings.load(home=home, webhook_allow="localhost"))
    yield opened
    opened.close()


@pytest.fixture
def receiver():
    opened = Receiver()
    yield opened
    opened.close()


@pytest.fixture
def tell(orion, eventually):
    """Looks for what there is to tell, and waits until each delivery was tried."""
    notices = Notices(orion, link=lambda: "http://here/orion")

    def work():
        def quiet():
            notices.step()
            due = orion.next_delivery()
            return not notices._busy and (due is None or due > clock.now())

        eventually(quiet)

    yield work
    notices.stop()
