from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.mac import MacAddress
from crds.networks import Attachment, BadAnnotation, Networks, attachments_of

SPACE = st.text(" \t\n\r", max_size=2)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
STRINGS = st.builds(
    json.dumps, st.text(st.characters(codec="utf-8"), max_size=12), ensure_ascii=st.booleans()
)
OURS = ("name", "namespace", "interface", "mac", "infiniband-guid")


@dataclass(frozen=True)
class Draft:
    """An annotation as its author typed it: (key, value) as texts, for each element."""

    elements: list[list[tuple[str, str]]]
    space: str

    def text(self, added: dict[int, str] | None = None) -> str:
        """Write it, with `added` (element position -> text) before the brace that closes each."""
        gap = self.space
        written = (
            f"{{{gap}"
            + f"{gap},{gap}".join(f"{key}{gap}:{gap}{value}" for key, value in members)
            + f"{gap}{(added or {}).get(position, '')}}}"
            for position, members in enumerate(self.elements, 1)
        )
        return f"{gap}[{gap}" + f"{gap},".join(written) + f"{gap}]{gap}"


@st.composite
def members(draw: st.DrawFn) -> list[tuple[str, str]]:
    """One element: a name, then other members, some in odd case, some twice; in any order."""
    found = [('"name"', json.dumps(draw(st.text("abc", min_size=1))))]
    for key in draw(st.lists(st.sampled_from(OURS[1:]), max_size=4)):
        typed = draw(st.sampled_from([key, key.upper(), key.title()]))
        found.append((json.dumps(typed), draw(STRINGS)))
    others = st.text(max_size=9).filter(lambda text: text.lower() not in OURS)
    extras = draw(st.lists(st.tuples(others, ANY_JSON), max_size=3))
    found += [(json.dumps(key), json.dumps(value)) for key, value in extras]
    return draw(st.permutations(found))


DRAFTS = st.builds(Draft, st.lists(members(), min_size=1, max_size=4), SPACE)
EDITS = st.dictionaries(st.sampled_from(["mac", "namespace"]), st.text(), max_size=2)


@given(DRAFTS, st.data())
def test_an_edit_leaves_every_other_byte_alone(draft: Draft, data: st.DataObject) -> None:
    edits = {n: data.draw(EDITS) for n in range(1, len(draft.elements) + 1)}
    expected = Draft([list(element) for element in draft.elements], draft.space)
    added: dict[int, str] = {}
    for position, changes in edits.items():
        for key, value in changes.items():
            element = expected.elements[position - 1]
            same = [at for at, (typed, _) in enumerate(element) if json.loads(typed).lower() == key]
            if same:
                element[same[-1]] = element[same[-1]][0], json.dumps(value)
            else:
                member = f",{json.dumps(key)}:{json.dumps(value)}"
                added[position] = added.get(position, "") + member

    written = Networks.parse(draft.text()).edit(edits)

    assert written == expected.text(added)


@given(DRAFTS, st.data())
def test_the_values_of_an_edit_are_read_back(draft: Draft, data: st.DataObject) -> None:
    edits = {n: data.draw(EDITS) for n in range(1, len(draft.elements) + 1)}
    before: list[dict[str, Any]] = json.loads(draft.text(), object_pairs_hook=as_go)

    written = Networks.parse(draft.text()).edit(edits)

    after = json.loads(written, object_pairs_hook=as_go)
    assert after == [{**element, **edits[n]} for n, element in enumerate(before, 1)]


@given(DRAFTS)
def test_elements_are_read_as_go_reads_them(draft: Draft) -> None:
    expected: list[dict[str, Any]] = json.loads(draft.text(), object_pairs_hook=as_go)

    elements = Networks.parse(draft.text()).elements

    for element, go in zip(elements, expected, strict=True):
        read = (element.name, element.namespace, element.interface, element.mac, element.guid)
        assert read == tuple(go.get(key) or None for key in OURS)


@given(DRAFTS)
def test_no_edit_returns_the_text_itself(draft: Draft) -> None:
    assert Networks.parse(draft.text()).edit({}) == draft.text()


@given(DRAFTS, st.data())
def test_a_truncated_list_is_refused(draft: Draft, data: st.DataObject) -> None:
    whole = draft.text().rstrip()
    start = whole.index("[") + 1
    cut = data.draw(st.integers(start, len(whole) - 1))

    with pytest.raises(BadAnnotation):
        Networks.parse(whole[:cut])


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        networks = Networks.parse(text)
    except BadAnnotation as error:
        assert str(error)  # noqa: PT017 - most are refused, and each with a message
    else:
        assert networks.edit({}) == text
        assert attachments_of(text, "shop") is not None


@pytest.mark.parametrize("text", ["", " ", "ovs-conf", "shop/ovs-conf@net1, other", "null", "42"])
def test_a_comma_list_has_no_elements(text: str) -> None:
    assert Networks.parse(text).elements == ()
    assert attachments_of(text, "shop") == ()


@pytest.mark.parametrize(
    "key", ["mac", "MAC", "Mac", "m\\u0061c"], ids=["lower", "upper", "title", "escaped"]
)
def test_a_member_s_name_is_known_in_any_case(key: str) -> None:
    networks = Networks.parse(f'[{{"NAME":"a","{key}":"02:00:00:00:00:2A"}}]')

    assert networks.elements[0].mac == "02:00:00:00:00:2A"
    assert networks.edit({1: {"mac": "x"}}) == f'[{{"NAME":"a","{key}":"x"}}]'


def test_letters_fold_as_in_go() -> None:
    long_s, ligature = "\u017f", "\ufb01"
    text = f'[{{"name":"a","name{long_s}pace":"shop","in{ligature}niband-guid":"g"}}]'

    (element,) = Networks.parse(text).elements

    assert element.namespace == "shop"
    assert element.guid is None


def test_the_last_of_two_members_counts() -> None:
    text = '[{"name":"a","mac":"one","Mac":"two","name":"b"}]'

    networks = Networks.parse(text)

    assert (networks.elements[0].name, networks.elements[0].mac) == ("b", "two")
    assert networks.edit({1: {"mac": "x"}}) == text.replace("two", "x")


def test_a_null_does_not_replace_an_earlier_value() -> None:
    text = '[{"name":"a","mac":"one","MAC":null}]'

    networks = Networks.parse(text)

    assert networks.elements[0].mac == "one"
    assert networks.edit({1: {"mac": "x"}}) == text.replace("one", "x")


@pytest.mark.parametrize("empty", ["null", '""'])
def test_an_empty_member_counts_as_absent_and_is_filled_in(empty: str) -> None:
    networks = Networks.parse(f'[{{"mac":{empty},"name":"a"}}]')

    assert networks.elements[0].mac is None
    assert networks.edit({1: {"mac": "x"}}) == '[{"mac":"x","name":"a"}]'


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00", "\\udc00\\ud800"])
def test_half_a_surrogate_pair_is_the_replacement_character(half: str) -> None:
    networks = Networks.parse(f'[{{"name":"a{half}"}}]')

    assert networks.elements[0].name == "a" + "\ufffd" * (len(half) // 6)


def test_an_interface_without_a_name_is_called_as_multus_calls_it() -> None:
    elements = Networks.parse(
        '[{"name":"a"},{"name":"a","interface":"eth7"},{"name":"a"}]'
    ).elements

    assert [element.device for element in elements] == ["net1", "eth7", "net3"]


def test_a_pod_carries_the_addresses_that_can_be_read() -> None:
    text = """[{"name":"a","mac":"0200.0000.002A"},{"name":"b"},{"name":"c","mac":"nonsense"},
        {"name":"d","mac":"ff:ff:ff:ff:ff:ff"},
        {"name":"e","namespace":"other","interface":"eth1","mac":"02:00:00:00:00:2b"}]"""

    assert attachments_of(text, "shop") == (
        Attachment(MacAddress.parse("02:00:00:00:00:2a"), "net1", "shop/a"),
        Attachment(MacAddress.parse("02:00:00:00:00:2b"), "eth1", "other/e"),
    )


@pytest.mark.parametrize("text", [None, "[", '[{"name":1,"mac":"02:00:00:00:00:2a"}]'])
def test_an_unreadable_annotation_carries_nothing(text: str | None) -> None:
    assert attachments_of(text, "shop") == ()


def as_go(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Read an object as Go does into a struct: our members in any case, the last one wins."""
    return {key.lower() if key.lower() in OURS else key: value for key, value in pairs}
