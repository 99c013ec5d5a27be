"""Results are kept, and only read by who means the same."""

from pathlib import Path

import pytest

from bench.results import FILE, OtherSchema, read, write
from bench.tests.made import results


def test_what_is_written_is_read(tmp_path: Path) -> None:
    run = results()

    write(run, tmp_path)

    assert read(tmp_path) == run


@pytest.mark.parametrize("other", ['{"schema": 0}', "{}"])
def test_results_of_another_schema_are_refused(tmp_path: Path, other: str) -> None:
    (tmp_path / FILE).write_text(other)

    with pytest.raises(OtherSchema, match="has schema 0"):
        read(tmp_path)


def test_a_rate_is_of_the_creates() -> None:
    run = results().sustained[0]

    assert (run.pods, run.rate) == (100, 10.0)
