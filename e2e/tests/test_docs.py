"""What README.md, the user guide and the page on virtual machines show is what happens.

What of a document is run, and how its output is compared, says `e2e.examples`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster import external
from e2e.cluster.controlplane import ControlPlane, ephemeral
from e2e.cluster.kubevirt import KubeVirt, Machines, apply_machine_crds
from e2e.cluster.release_up import Installed, installed
from e2e.demo import sweep
from e2e.examples import PROJECT, blocks, examples, follow

DOCUMENTS = ("README.md", "docs/usage.md")
MACHINES_PAGE = "docs/virtual-machines.md"
FIRST_VM = "docs/first-vm.md"  # typed by e2e/functest, where VMs boot


@pytest.fixture(scope="module")
def pool() -> Iterator[ControlPlane]:
    """A cluster of the documents' own, as they start and stop what others rely on."""
    if external.chosen():
        pytest.skip("the documents show a cluster that nobody else uses")
    with ephemeral() as cluster:
        apply_machine_crds(cluster.kubectl)  # a VM has its addresses without KubeVirt's programs
        with installed(cluster, quiet_s=2):
            yield cluster


@pytest.fixture
def untouched(pool: ControlPlane) -> Iterator[ControlPlane]:
    """The cluster, and afterwards nothing of what a document made."""
    yield pool
    sweep(pool)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_example_prints_what_the_document_shows(
    untouched: ControlPlane, document: str
) -> None:
    for example in examples(document):
        follow(untouched, example)


@pytest.fixture
def shop_of_machines(release: Installed, kubevirt: KubeVirt) -> Iterator[ControlPlane]:
    """KubeVirt, and what the page on virtual machines takes for granted: namespace and network."""
    assert release.webhooks
    kubectl, shop = kubevirt.cluster.kubectl, Machines(kubevirt.cluster.kubectl, "shop")
    kubectl("create", "namespace", "shop")
    shop.create_network("front")
    yield kubevirt.cluster
    kubectl("delete", "namespace", "shop", "--wait=false")
    kubevirt.handler.end_all(shop)


def test_the_page_on_virtual_machines_shows_what_its_examples_print(
    shop_of_machines: ControlPlane,
) -> None:
    for example in examples(MACHINES_PAGE):
        follow(shop_of_machines, example)


@pytest.mark.parametrize("document", [*DOCUMENTS, MACHINES_PAGE, FIRST_VM])
def test_a_manifest_is_shown_as_its_file_has_it(document: str) -> None:
    named = 0
    for _, block in blocks(document, "yaml"):
        heading, _, manifest = block.partition("\n")
        if heading.startswith("# docs/examples/"):
            named += 1
            assert manifest == (PROJECT / heading.removeprefix("# ")).read_text()
        else:
            yaml.safe_load(block)
    assert named


def documented(kind: str) -> dict[str, set[str]]:
    """The fields of the guide's table below the heading `kind`, each with the values it names.

    `.kind` beside `spec.owner.apiVersion` is spec.owner.kind.
    """
    found = {}
    for cells in tables(kind)["field"]:
        parent = ""
        for name in re.findall(r"`([^`]*)`", cells[0]):
            path = parent + name if name.startswith(".") else name
            parent = path.rpartition(".")[0]
            assert path not in found, f"{path} stands twice"
            found[path] = set(re.findall(r"`([A-Z]\w*)`", cells[-1]))
    return found


def tables(kind: str) -> dict[str, list[list[str]]]:
    """The guide's tables below a heading, each by its first column's title."""
    section = re.split(r"^## ", (PROJECT / "docs/usage.md").read_text(), flags=re.MULTILINE)
    (chapter,) = (one for one in section if one.startswith(f"{kind}\n"))
    found = {}
    for table in re.findall(r"(?:^\|.*\n)+", chapter, re.MULTILINE):
        rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
        found[rows[0][0]] = rows[2:]
    return found


def schema_fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, set[str]]]:
    """Every field that has a value of its own, with the values that an enum allows it."""
    if "items" in schema:
        yield from schema_fields(schema["items"], f"{path}[]")
    elif "properties" in schema:
        for name, field in schema["properties"].items():
            yield from schema_fields(field, f"{path}.{name}")
    else:
        yield path, set(schema.get("enum", []))


def crd_schema(kind: str) -> dict[str, Any]:
    crd = yaml.safe_load((PROJECT / "crds" / f"{kind.lower()}.yaml").read_text())
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return schema


@pytest.mark.parametrize("kind", ["MacAllocation", "MacPool"])
def test_the_guide_and_the_crd_have_the_same_fields_and_values(kind: str) -> None:
    schema = crd_schema(kind)

    fields = {
        path: values
        for part in ("spec", "status")
        for path, values in schema_fields(schema[part], part)
    }

    assert documented(kind) == fields


def test_the_guide_explains_every_state_and_no_other() -> None:
    states = crd_schema("MacAllocation")["spec"]["properties"]["state"]["enum"]

    explained = [cells[0].strip("`") for cells in tables("MacAllocation")["state"]]

    assert explained == states


def test_no_link_leads_nowhere() -> None:
    pages = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]

    lost = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
        if "://" not in link and not (page.parent / link).exists()
    ]

    assert lost == []


def test_no_link_leads_to_a_heading_that_is_not_there() -> None:
    pages = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]

    lost = [
        f"{page.name}: {file}#{anchor}"
        for page in pages
        for file, anchor in re.findall(r"\]\(([^):#]*)#([^)]*)\)", page.read_text())
        if anchor not in anchors(page.parent / file if file else page)
    ]

    assert lost == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
