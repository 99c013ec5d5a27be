from __future__ import annotations

import pytest

from crds import networks as read
from crds.mac import MacAddress
from crds.networks import (
    LONGEST_TEXT,
    MOST_INTERFACES,
    MOST_MEMBERS,
    BadAnnotation,
    Networks,
    carried,
)

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", 'expected an element such as {"name": "ovs-conf"} at character 2, found end of text'),
        ("{}", "expected a list of networks at character 1, found '{}'"),
        ('"ovs"', "expected a list of networks at character 1, found '\"ovs\"'"),
        ("[null]", 'expected an element such as {"name": "ovs-conf"} at character 2,'),
        ("[[]]", 'expected an element such as {"name": "ovs-conf"} at character 2,'),
        ('["ovs"]', 'expected an element such as {"name": "ovs-conf"} at character 2,'),
        ("[1]", 'expected an element such as {"name": "ovs-conf"} at character 2,'),
        ('[{"name":"a"},]', 'expected an element such as {"name": "ovs-conf"} at character 15,'),
        ('[{"name":"a"}', "expected ',' or ']' at character 14, found end of text"),
        ('[{"name":"a"}{"name":"b"}]', "expected ',' or ']' at character 14,"),
        ('[{"name":"a"}]]', "expected end of text at character 15, found ']'"),
        ('[{"name":"a"}] {}', "expected end of text at character"),
        ('[{"name":"a",}]', "expected a member name in double quotes at character 14,"),
        ("[{'name':'a'}]", "expected a member name in double quotes at character 3,"),
        ('[{name:"a"}]', "expected a member name in double quotes at character"),
        ('[{"name"}]', "expected ':' at character 9,"),
        ('[{"name":}]', "expected a value at character 10,"),
        ('[{"name":"a" "mac":"b"}]', "expected ',' or '}' at character 14,"),
        ('[{"name":"a', "expected a value at character 10,"),
        ('[{"name', "expected a complete member name at character"),
        ('[{"name":"a\tb"}]', "expected a value at character"),
        ('[{"name":"a\x00b"}]', "expected a value at character"),
        ('[{"na\nme":"a"}]', "expected a complete member name at character"),
        ('[{"name":"\\x41"}]', "expected a value at character"),
        ('[{"name":"\\u12"}]', "expected a value at character"),
        ('[{"name":"a","x":NaN}]', "expected a value at character 18, found 'NaN}]'"),
        ('[{"name":"a","x":-Infinity}]', "expected a value at character"),
        ('[{"name":"a","x":[Infinity]}]', "expected a value at character"),
        ('[{"name":"a","x":01}]', "expected ',' or '}' at character"),
        ('[{"name":"a","x":+1}]', "expected a value at character"),
        ('[{"name":"a","x":True}]', "expected a value at character"),
        ('[{"name":"a"/* why */}]', "expected ',' or '}' at character"),
        ('\ufeff[{"name":"a"}]', "expected a list of networks at character 1,"),
        (
            '[\u00a0{"name":"a"}]',
            'expected an element such as {"name": "ovs-conf"} at character 2,',
        ),
        ("[{}]", "element 1 has no name: it must name its network"),
        ('[{"name":"a"},{"mac":"02:00:00:00:00:2a"}]', "element 2 has no name"),
        ('[{"name":null}]', "element 1 has no name"),
        ('[{"name":""}]', "element 1 has no name"),
        ('[{"name":7}]', "element 1: its name is not a string"),
        ('[{"name":"a","mac":2}]', "element 1: its mac is not a string"),
        ('[{"name":"a","MAC":["02"]}]', "element 1: its mac is not a string"),
        ('[{"name":"a","namespace":{}}]', "element 1: its namespace is not a string"),
        ('[{"name":"a","interface":true}]', "element 1: its interface is not a string"),
        ('[{"name":"a","infiniband-guid":1e9}]', "element 1: its infiniband-guid is not a string"),
        ('[{"name":"%s"}]' % ("a" * 254), "its name has 254 characters: it can have up to 253"),
        ('[{"name":"a","namespace":"%s"}]' % ("a" * 64), "its namespace has 64 characters"),
        ('[{"name":"a","interface":"%s"}]' % ("a" * 254), "its interface has 254 characters"),
        (f'[{{"name":"a","x":{DEEP}}}]', "it is nested too deeply"),
        ('[{"name":"a","x":%s}]' % ('{"a":' * 50_000), "it is nested too deeply"),
        (DEEP, 'expected an element such as {"name": "ovs-conf"} at character 2,'),
    ],
    ids=lambda text: text[:24],
)
def test_what_multus_cannot_read_is_refused_with_the_place(text: str, says: str) -> None:
    with pytest.raises(BadAnnotation) as refused:
        Networks.parse(text)

    assert says in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "value",
    ["1" * 200_000, "-1.5e999999999", "0." + "0" * 100_000 + "1", "[]", "{}", '"\\ud83d\\ude00"'],
    ids=["huge", "exponent", "tiny", "list", "object", "pair"],
)
def test_what_other_members_hold_is_nobody_s_business(value: str) -> None:
    text = f'[{{"x":{value},"name":"a"}}]'

    networks = Networks.parse(text)

    assert networks.written({1: {"mac": "m"}}) == f'[{{"x":{value},"name":"a","mac":"m"}}]'


class Steps:
    """Counts the calls of a function of the parser."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        self.count = 0
        counted = getattr(owner, name)

        def count(*arguments: object) -> object:
            self.count += 1
            return counted(*arguments)

        monkeypatch.setattr(owner, name, count)


def test_a_text_that_the_api_server_would_refuse_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = Steps(monkeypatch, read._List, "_peek")
    fits = '[{"name":"a"}]' + " " * (LONGEST_TEXT - 14)
    Networks.parse(fits)
    steps.count = 0

    with pytest.raises(BadAnnotation, match="it has 262145 characters: the API server stores up"):
        Networks.parse(fits + " ")

    assert steps.count == 0
    assert carried(fits.replace("}", ',"mac":"02:00:00:00:00:01"}'), "shop") == ()


def test_no_element_after_the_most_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, read, "_element")
    many = "[" + ",".join(['{"name":"a"}'] * 20_000) + "]"

    with pytest.raises(BadAnnotation, match="it has more than 128 elements"):
        Networks.parse(many)

    assert steps.count == MOST_INTERFACES


def test_no_member_after_the_most_of_an_element_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, read._List, "_member")
    many = '[{"name":"a"' + ',"":1' * 50_000 + "}]"

    with pytest.raises(BadAnnotation, match="element 1 has more than 32 members"):
        Networks.parse(many)

    assert steps.count == MOST_MEMBERS


def test_spaces_cost_no_step_each(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, read._List, "_peek")
    space = " \n\t\r" * 1_000

    Networks.parse(f'{space}[{space}{{{space}"name"{space}:{space}"a"{space}}}{space}]')

    assert steps.count < 20


def test_a_stored_pod_carries_all_its_addresses_however_many_they_are() -> None:
    elements = (f'{{"name":"a","mac":"{MacAddress(2 << 40 | n)}"}}' for n in range(1000))

    assert len(carried(f"[{','.join(elements)}]", "shop")) == 1000
