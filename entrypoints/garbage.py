"""How our processes collect garbage."""

import gc


def collect_rarely() -> None:
    """To be called when everything that stays has been built. Python's own pace stalls the loop for 40 ms at a time
    under load, and takes half of a rebuild's time; what has been built so far never goes, and values form no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
