"""The plot of a run."""

import xml.etree.ElementTree as ET

import msgspec

from bench.cells import Lane
from bench.plot import svg
from bench.tests.made import results


def words(picture: bytes) -> set[str]:
    root = ET.fromstring(picture)  # noqa: S314 - we have just drawn it
    return {text.strip() for one in root.iter() for text in [one.text or ""] if text.strip()}


def test_a_plot_names_every_lane_and_both_panels() -> None:
    found = words(svg(results()))

    assert set(Lane) - {Lane.NOT_OPTED_IN} <= found
    assert {"What a request waits for", "Created and deleted"} <= found


def test_the_same_results_are_the_same_picture() -> None:
    assert svg(results()) == svg(results())


def test_without_sustained_load_there_is_one_panel() -> None:
    found = words(svg(msgspec.structs.replace(results(), sustained=())))

    assert "What a request waits for" in found
    assert "Created and deleted" not in found
