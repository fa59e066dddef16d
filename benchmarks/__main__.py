"""`make bench`: runs the benchmarks one after the other, prints their table and writes docs/benchmarks.md."""

import argparse
import asyncio
import signal
import sys
import traceback
from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path
from time import monotonic
from types import ModuleType

from benchmarks import (
    analytics,
    append,
    as_of,
    audit,
    cloud_connector,
    connectors,
    http_readings,
    lambda_iot,
    memory,
    metrics,
    mqtt_commit,
    proof,
    rebuild,
    streams,
    visibility,
)
from benchmarks.measure import Bench, Figure
from benchmarks.table import page, text_table
from entrypoints.garbage import collect_rarely

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    options = _options()
    chosen = {name: BENCHMARKS[name] for name in BENCHMARKS if not options.only or name in options.only}
    collect_rarely()  # as every process of Tidemark does
    figures: list[Figure] = []
    failed: list[str] = []
    started = monotonic()
    for name, module in chosen.items():
        bench = Bench(name, quick=options.quick)
        try:
            measured: list[Figure] = asyncio.run(_measured(module, bench))
        except Exception:  # noqa: BLE001  # the others go on: all of them take an hour
            traceback.print_exc()
            failed.append(name)
            continue
        bench.say(f"done after {monotonic() - started:.0f} s\n")
        print(text_table(measured), flush=True)
        figures += measured
    print("\n" + text_table(figures))
    if not options.no_write:
        explanations = {name: cleandoc(module.__doc__ or "") for name, module in chosen.items()}
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(figures, explanations, (monotonic() - started) / 60, failed), encoding="utf-8")
        print(f"\nwritten to docs/{PAGE.name}")
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


async def _measured(module: ModuleType, bench: Bench) -> list[Figure]:
    """Stopped by SIGTERM as by Ctrl-C: in order, with all servers and directories gone."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    figures: list[Figure] = await module.measure(bench)
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", choices=BENCHMARKS, help="one of %(choices)s")
    parser.add_argument("--quick", action="store_true", help="three pairs each instead of ten")
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md as it is")
    return parser.parse_args()


BENCHMARKS: Mapping[str, ModuleType] = {
    "http_readings": http_readings,
    "append": append,
    "rebuild": rebuild,
    "mqtt_commit": mqtt_commit,
    "visibility": visibility,
    "memory": memory,
    "lambda_iot": lambda_iot,
    "cloud_connector": cloud_connector,
    "metrics": metrics,
    "audit": audit,
    "as_of": as_of,
    "connectors": connectors,
    "streams": streams,
    "proof": proof,
    "analytics": analytics,
}


if __name__ == "__main__":
    sys.exit(main())
