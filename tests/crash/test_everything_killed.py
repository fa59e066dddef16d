"""`kill -9` of everything under load, three times: what was acknowledged is listed exactly once."""

import random
import time

import pytest

from tests.crash.load import again, count, load_on, person_on
from tests.crash.tally import Printer, Stopwatch
from tests.product import Product

KILLS = 3

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("killed")]


def test_what_was_acknowledged_survives_kill_9_of_everything(product: Product, printed: Printer) -> None:
    person = person_on(product)
    load = load_on(product, person)
    recoveries: list[float] = []
    with load.running():
        for _ in range(KILLS):
            load.wait_for_promises(200)
            time.sleep(random.uniform(0, 0.3))  # any moment will do
            recovery = Stopwatch()
            product.kill()
            product.start()
            load.wait_for_promises(1)
            recoveries.append(recovery.seconds)
        load.wait_for_promises(50)
    person = again(product, person)
    tally = count(f"everything killed {KILLS} times", product, person, load)
    tally.recoveries = recoveries
    printed(tally)
    assert not tally.lost, sorted(tally.lost, key=str)[:10]
    assert not tally.duplicate, sorted(tally.duplicate, key=str)[:10]
    product.stop()
