"""docs/configuration.md is generated, and describes each name that exists, and no other."""

import re

import pytest

from deploy.reference import meanings
from deploy.reference.generate import MANIFEST, PAGE, Undescribed, Unused, main, reference

TEXT = MANIFEST.read_text()


def test_the_page_is_what_would_be_generated() -> None:
    assert PAGE.read_text() == reference(TEXT), "run `python -m deploy.reference.generate build`"


def test_a_page_that_is_out_of_date_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["check"]) == 0

    monkeypatch.setitem(meanings.PORTS, "health", "Something else.")

    assert main(["check"]) == 1


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("  RANGE_END:", "  NEW_KEY: x\n  RANGE_END:", "NEW_KEY"),
        ("name: CA_ROTATE_INTERVAL", "name: NEW_VARIABLE", "NEW_VARIABLE"),
        ("        - controller\n", "        - controller\n        - --new-flag=1\n", "--new-flag"),
        ("name: health\n", "name: new-port\n", "new-port"),
        ("- kubemacpool-mutator-ca\n", "- new-secret\n", "new-secret"),
        ("key: runlevel", "key: new-label", "new-label"),
    ],
)
def test_a_name_without_a_description_is_noticed(old: str, new: str, named: str) -> None:
    assert old in TEXT

    with pytest.raises(Undescribed, match=re.escape(named)):
        reference(TEXT.replace(old, new))


def test_a_flag_without_a_meaning_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(meanings.FLAGS, "--namespace")

    with pytest.raises(Undescribed, match="--namespace"):
        reference(TEXT)


def test_a_description_of_a_name_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(meanings.ENVIRONMENT, "OLD_VARIABLE", "Its meaning.")

    with pytest.raises(Unused, match="OLD_VARIABLE"):
        reference(TEXT)


def test_a_key_that_the_manifest_has_is_not_called_absent() -> None:
    with pytest.raises(Undescribed, match="COLLISION_POLICY"):
        reference(TEXT.replace("  RANGE_END:", "  COLLISION_POLICY: Reject\n  RANGE_END:"))
