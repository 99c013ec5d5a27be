"""Annotations that are refused, and unusual ones that are valid, over real HTTPS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from crds.allocation import encode_hook
from crds.networks import ANNOTATION
from webhook.tests.reviews import body, pod, request

if TYPE_CHECKING:
    from webhook.tests.program import Program

LONG = 200_000

ANNOTATIONS: dict[str, tuple[str, str]] = {
    "open bracket": (
        "[",
        'expected an element such as {"name": "ovs-conf"} at character 2, found end of text',
    ),
    "truncated": (
        '[{"name":"ovs-conf"',
        "expected ',' or '}' at character 20, found end of text",
    ),
    "no list": (
        '{"name":"a"}',
        'expected a list of networks at character 1, found \'{"name":"a"}\'',
    ),
    "words": (
        '["a","b"]',
        ('expected an element such as {"name": "ovs-conf"} at character 2, found \'"a","b"]\''),
    ),
    "trailing comma": (
        '[{"name":"a"},]',
        'expected an element such as {"name": "ovs-conf"} at character 15, found \']\'',
    ),
    "null byte": (
        '[{"name":"a\x00"}]',
        "expected a value at character 10, found '\"a\\x00\"}]'",
    ),
    "NaN": ('[{"name":NaN}]', "expected a value at character 10, found 'NaN}]'"),
    "not-breaking space": (
        '[\u00a0{"name":"a"}]',
        (
            'expected an element such as {"name": "ovs-conf"} at character 2, found'
            ' \'\\xa0{"name":"a"}]\''
        ),
    ),
    "no name": ('[{"mac":"02:00:00:00:00:01"}]', "element 1 has no name: it must name its network"),
    "number as name": ('[{"name":7}]', "element 1: its name is not a string"),
    "list as mac": ('[{"name":"a","mac":["x"]}]', "element 1: its mac is not a string"),
    "long name": (
        json.dumps([{"name": "a" * LONG}]),
        "element 1: its name has 200000 characters: it can have up to 253",
    ),
    "long mac": (
        json.dumps([{"name": "a", "mac": "0" * LONG}]),
        "element 1 (a): '" + "0" * 64 + "...' is not a MAC address: write six octets, such as"
        " 02:00:00:00:00:2a",
    ),
    "group address": (
        '[{"name":"a","mac":"ff:ff:ff:ff:ff:ff"}]',
        (
            "element 1 (a): ff:ff:ff:ff:ff:ff is a group address (its first octet is odd): no"
            " interface can own it; use an even first octet, such as 02"
        ),
    ),
    "zero address": (
        '[{"name":"a","mac":"00:00:00:00:00:00"}]',
        "element 1 (a): 00:00:00:00:00:00 is the zero address: no interface can own it",
    ),
    "emoji as mac": (
        '[{"name":"a","mac":"\U0001f600"}]',
        (
            "element 1 (a): '\U0001f600' is not a MAC address: write six octets, such as"
            " 02:00:00:00:00:2a"
        ),
    ),
    "too many": (
        json.dumps([{"name": "a"}] * 1000),
        "it has more than 128 elements: one pod can have up to 128",
    ),
    "too large": (
        json.dumps([{"name": "a", "x": "y" * LONG * 2}]),
        "it has 400024 characters: the API server stores up to 262144 bytes",
    ),
    "too many members": (
        json.dumps([{"name": "a"} | {f"x{n}": n for n in range(32)}]),
        "element 1 has more than 32 members: the specification names a dozen",
    ),
    "deep": ('[{"name":"a","x":' + "[" * 200_000, "it is nested too deeply"),
    "twice": (
        '[{"name":"a","mac":"02:00:00:00:00:01"},{"name":"b","mac":"0200.0000.0001"}]',
        (
            "duplicate address 02:00:00:00:00:01 in elements 1 (a) and 2 (b): give each interface"
            " its own address, or leave out the mac and get one from the pool"
        ),
    ),
}

ODD_BUT_GOOD = {
    "unicode name": '[{"name":"\u00fcber-\U0001f600"}]',
    "half a surrogate pair": '[{"name":"a\\ud800","interface":"\\udfff"}]',
    "null byte escaped": '[{"name":"a\\u0000"}]',
    "huge number": '[{"name":"a","x":' + "9" * 100_000 + "}]",
    "huge value": json.dumps([{"name": "a", "x": "y" * LONG}]),
    "members twice": '[{"name":"a","NAME":"b","mac":null,"MAC":""}]',
    "quote in name": '[{"name":"a\\"b\\\\"}]',
}


@pytest.mark.parametrize(("networks", "says"), ANNOTATIONS.values(), ids=ANNOTATIONS)
async def test_an_annotation_that_cannot_be_served_is_denied_saying_why(
    program: Program, networks: str, says: str
) -> None:
    response = (await program.post(body(request(pod(networks))))).response

    assert response == {
        "uid": "r-1",
        "allowed": False,
        "status": {
            "code": 400,
            "reason": "BadRequest",
            "message": f"Pod shop/web: annotation {ANNOTATION}: {says}",
        },
    }
    assert program.cluster.calls == []
    assert await program.still_serves()


@pytest.mark.parametrize("networks", ODD_BUT_GOOD.values(), ids=ODD_BUT_GOOD)
async def test_what_multus_can_read_is_served(program: Program, networks: str) -> None:
    response = (await program.post(body(request(pod(networks))))).response

    assert response["allowed"]
    (stored,) = program.cluster.allocated.values()
    assert msgspec.json.encode(stored.allocation, enc_hook=encode_hook)
    assert await program.still_serves()
