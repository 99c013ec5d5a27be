"""The demo's terminal: it runs each line after a `$` as it is written, and prints its output."""

import textwrap
from dataclasses import dataclass

from testbed.controlplane import ControlPlane
from testbed.shell import Typed, typed

_WIDTH = 100
_LONGEST = 120  # a table's row stays whole up to here


class DemoFailed(Exception):
    """A line of the demo did not have the result that the demo announces."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal that types lines and shows their output."""

    cluster: ControlPlane

    def run(self, line: str, most_lines: int = 20) -> None:
        """Type a line that works."""
        if (done := self._type(line, most_lines)).code:
            raise DemoFailed(f"this should have worked (exit code {done.code}): {line}")

    def refused(self, line: str, because: str) -> None:
        """Type a line that is refused with a message that says `because`."""
        done = self._type(line)
        if not done.code or because not in done.output:
            raise DemoFailed(f"this should have been refused, saying {because!r}: {line}")

    def wait_bound(self, owner: str, addresses: int = 1) -> None:
        """Wait until the controller has bound this number of addresses to a pod or VM."""
        bound, what = f"spec.state=Bound,spec.owner.name={owner}", f"{addresses} bound to {owner}"
        client = self.cluster.kubectl.client
        try:
            client.until("mac", lambda found: len(found) == addresses, what, fields=bound)
        except AssertionError as late:
            raise DemoFailed(str(late)) from None

    def _type(self, line: str, most_lines: int = 20) -> Typed:
        tell(f"  $ {line}")
        done = typed(self.cluster, line, lambda passed_s: tell(f"    ... {passed_s:.0f} s"))
        lines = done.output.splitlines()
        for printed in lines[:most_lines]:
            tell(_indented(printed))
        if len(lines) > most_lines:
            tell(f"    ... and {len(lines) - most_lines} lines more")
        return done


def tell(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def title(text: str, *notes: str) -> None:
    """Print a heading and notes."""
    tell(f"\n== {text}")
    for note in notes:
        tell(textwrap.fill(note, _WIDTH, initial_indent="   ", subsequent_indent="   "))
    tell("")


def _indented(printed: str) -> str:
    indent, further = "    ", "      "
    if len(printed) <= _LONGEST:
        return indent + printed
    return textwrap.fill(
        printed,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
