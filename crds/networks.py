"""The annotation `k8s.v1.cni.cncf.io/networks`: parsed as Multus does, edited in place.

Law: an edit changes only the members that it names, and no other byte. The cost of any text is
bounded by its length and the limits below, because every user who may create a pod can write it.
Source: Kubernetes Network Custom Resource Definition De-facto Standard (NPWG) v1.3, 4.1. Multus
reads the list with Go's encoding/json: member names match in any case, the last member that is not
null wins, and half of a surrogate pair is U+FFFD.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined] # the scanner of JSONDecoder
from typing import Any, NoReturn

from crds.mac import MacAddress, shown

ANNOTATION = "k8s.v1.cni.cncf.io/networks"

# The API server's limit for all annotations of an object together (apimachinery,
# TotalAnnotationSizeLimitB), which it checks only after admission.
LONGEST_TEXT = 256 << 10
# The webhook must answer within 10 s. A new address is one create of up to 25 ms on a busy 2-core
# API server, so 128 of them take a third of that, even one after the other.
MOST_INTERFACES = 128
# The specification names a dozen. Each costs about 9 us, so all members of a pod cost up to 40 ms.
MOST_MEMBERS = 32

# Multus: a text with one of these is JSON; any other text is a comma list.
_JSON_MARK = re.compile(r'[\[{"]')
_SPACE = re.compile(r"[ \t\n\r]*")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
# The limits of a MacAllocation; no network or interface can have longer values.
_LONGEST = {"name": 253, "namespace": 63, "interface": 253}
_LONGEST_MEMBER = len("infiniband-guid")


class BadAnnotation(ValueError):
    """The annotation cannot be read; the message has the place and the expected text."""


@dataclass(frozen=True, slots=True)
class Element:
    """One network selection element; None: the member is absent or empty.

    `mac` is as its author wrote it. `position` counts from 1, as Multus does when it names an
    interface without a name (net1, net2, ...).
    """

    position: int
    name: str
    namespace: str | None = None
    interface: str | None = None
    mac: str | None = None
    guid: str | None = None

    @property
    def device(self) -> str:
        """The name of the interface inside the pod."""
        return self.interface or f"net{self.position}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """An address that an object carries, with its interface and network."""

    mac: MacAddress
    interface: str
    network: str


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of an element; its value is text[start:end]."""

    value: Any
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Networks:
    """A whole annotation: its text, its elements, and the position of each of their members."""

    text: str
    elements: tuple[Element, ...] = ()
    _members: tuple[dict[str, _Member], ...] = ()
    _ends: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Networks:
        """Parse a JSON list. A comma list has no elements here, since it has no addresses."""
        return cls._parse(text, MOST_INTERFACES, MOST_MEMBERS)

    @classmethod
    def parse_stored(cls, text: str) -> Networks:
        """Parse the annotation of an existing pod: it may have any number of interfaces."""
        return cls._parse(text, LONGEST_TEXT, LONGEST_TEXT)

    @classmethod
    def _parse(cls, text: str, most_elements: int, most_members: int) -> Networks:
        if len(text) > LONGEST_TEXT:
            raise BadAnnotation(
                f"it has {len(text)} characters: the API server stores up to {LONGEST_TEXT} bytes"
            )
        if not _JSON_MARK.search(text):
            return cls(text)
        try:
            return _List(text, most_elements, most_members).read()
        except RecursionError:
            raise BadAnnotation("it is nested too deeply") from None

    def edit(self, edits: dict[int, dict[str, str]]) -> str:
        """Return the text with `edits` (element position -> member -> value) written in."""
        pieces: list[tuple[int, int, str]] = []
        for position, members in edits.items():
            known = self._members[position - 1]
            added = ""
            for name, value in members.items():
                if name in known:
                    pieces.append((known[name].start, known[name].end, json.dumps(value)))
                else:
                    added += f",{json.dumps(name)}:{json.dumps(value)}"
            pieces.append((self._ends[position - 1], self._ends[position - 1], added))
        parts: list[str] = []
        at = 0
        for start, end, piece in sorted(pieces):
            parts += self.text[at:start], piece
            at = end
        return "".join(parts) + self.text[at:]


def attachments_of(text: str | None, namespace: str) -> tuple[Attachment, ...]:
    """Return the attachments of a stored pod of `namespace`; none if `text` cannot be read."""
    if text is None:
        return ()
    try:
        elements = Networks.parse_stored(text).elements
    except BadAnnotation:
        return ()
    return tuple(
        attachment(element, mac, namespace)
        for element in elements
        if (mac := MacAddress.read(element.mac)) is not None
    )


def attachment(element: Element, mac: MacAddress, namespace: str) -> Attachment:
    """Return `element` of a pod in `namespace` as an attachment with the address `mac`."""
    return Attachment(mac, element.device, f"{element.namespace or namespace}/{element.name}")


class _List:
    """Parses a list of objects, and records the position of each member."""

    def __init__(self, text: str, most_elements: int, most_members: int) -> None:
        self.text = text
        self.most_elements = most_elements
        self.most_members = most_members
        self.at = 0
        self.elements: list[Element] = []
        self.members: list[dict[str, _Member]] = []
        self.ends: list[int] = []
        # Numbers are not used. `float` bounds the cost of a number with a million digits.
        self.decoder = json.JSONDecoder(parse_constant=_no_constant, parse_int=float)

    def read(self) -> Networks:
        self._expect("[", "a list of networks")
        if self._peek() != "]":
            self._element()
            while self._peek() == ",":
                self.at += 1
                self._element()
        self._expect("]", "',' or ']'")
        if self._peek():
            self._fail("end of text")
        return Networks(self.text, tuple(self.elements), tuple(self.members), tuple(self.ends))

    def _element(self) -> None:
        self._expect("{", 'an element such as {"name": "ovs-conf"}')
        if len(self.elements) == self.most_elements:
            raise BadAnnotation(
                f"it has more than {self.most_elements} elements:"
                f" one pod can have up to {self.most_elements}"
            )
        members: dict[str, _Member] = {}
        count = 0
        while self._peek() != "}":
            if count:
                self._expect(",", "',' or '}'")
            if count == self.most_members:
                raise BadAnnotation(
                    f"element {len(self.elements) + 1} has more than {self.most_members} members:"
                    f" the specification names a dozen"
                )
            count += 1
            name, member = self._member()
            name = _fold(name)
            if member.value is not None or name not in members:
                members[name] = member
        self.ends.append(self.at)
        self.at += 1
        self.members.append(members)
        self.elements.append(_element(len(self.members), members))

    def _member(self) -> tuple[str, _Member]:
        self._expect('"', "a member name in double quotes")
        try:
            name, self.at = scanstring(self.text, self.at, True)  # noqa: FBT003 # positional only
        except json.JSONDecodeError:
            self._fail("a complete member name")
        self._expect(":", "':'")
        self._peek()
        start = self.at
        try:
            value, self.at = self.decoder.raw_decode(self.text, start)
        except (json.JSONDecodeError, _NoConstant):
            self._fail("a value")
        return name, _Member(value, start, self.at)

    def _peek(self) -> str:
        if space := _SPACE.match(self.text, self.at):
            self.at = space.end()
        return self.text[self.at : self.at + 1]

    def _expect(self, mark: str, what: str) -> None:
        if self._peek() != mark:
            self._fail(what)
        self.at += 1

    def _fail(self, what: str) -> NoReturn:
        there = self.text[self.at : self.at + 20]
        found = shown(there) if there else "end of text"
        raise BadAnnotation(f"expected {what} at character {self.at + 1}, found {found}")


def _fold(name: str) -> str:
    """Fold the case of each character, as Go does; `casefold` alone makes two of some.

    A name that is longer than all member names that we read stays as it is.
    """
    if len(name) > _LONGEST_MEMBER:
        return name
    pairs = ((character, character.casefold()) for character in name)
    return "".join(fold if len(fold) == 1 else character for character, fold in pairs)


def _no_constant(name: str) -> NoReturn:
    raise _NoConstant(name)


class _NoConstant(ValueError):
    """NaN or Infinity, which are not JSON."""


def _element(position: int, members: dict[str, _Member]) -> Element:
    def text(name: str) -> str | None:
        value = members[name].value if name in members else None
        if value is not None and not isinstance(value, str):
            raise BadAnnotation(f"element {position}: its {name} is not a string")
        if value and len(value) > _LONGEST.get(name, len(value)):
            raise BadAnnotation(
                f"element {position}: its {name} has {len(value)} characters:"
                f" it can have up to {_LONGEST[name]}"
            )
        return _HALF_PAIR.sub("\ufffd", value) if value else None

    name = text("name")
    if name is None:
        raise BadAnnotation(f"element {position} has no name: it must name its network")
    return Element(
        position,
        name,
        text("namespace"),
        text("interface"),
        text("mac"),
        text("infiniband-guid"),
    )
