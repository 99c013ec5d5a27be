"""The examples of the pages run, and print the output that the pages show.

`e2e.examples` describes which blocks of a page run, and how their output is compared.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.demo import sweep
from e2e.examples import PROJECT, blocks, examples, follow
from testbed import external
from testbed.controlplane import ControlPlane, ephemeral
from testbed.kubevirt import KubeVirt, VirtualMachines, apply_vm_crds
from testbed.release import Installed, installed

DOCUMENTS = ("README.md", "docs/usage.md", "docs/troubleshooting.md")
VMS_PAGE = "docs/virtual-machines.md"
FIRST_VM = "docs/first-vm.md"  # typed by e2e/functest, where VMs boot
# Each shows one at least.
MANIFESTS = (
    "README.md",
    "docs/usage.md",
    "docs/gitops.md",
    "docs/installation.md",
    VMS_PAGE,
    FIRST_VM,
)


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[ControlPlane]:
    """A cluster for the documents only, because they start and stop programs."""
    if external.chosen():
        pytest.skip("the documents show a cluster that no other test uses")
    with ephemeral() as cluster:
        apply_vm_crds(cluster.kubectl)  # a VM has its addresses without KubeVirt's programs
        with installed(cluster, quiet_s=2):
            yield cluster


@pytest.fixture
def untouched(own_cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The cluster; the objects of the document are removed afterwards."""
    yield own_cluster
    sweep(own_cluster)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_example_prints_what_the_document_shows(
    untouched: ControlPlane, document: str
) -> None:
    for example in examples(document):
        follow(untouched, example)


@pytest.fixture
def namespace_with_network(release: Installed, kubevirt: KubeVirt) -> Iterator[ControlPlane]:
    """KubeVirt, with the namespace and the network that the page on virtual machines assumes."""
    assert release.webhooks
    kubectl, vms = kubevirt.cluster.kubectl, VirtualMachines(kubevirt.cluster.kubectl, "shop")
    kubectl("create", "namespace", "shop")
    vms.create_network("front")
    yield kubevirt.cluster
    kubectl("delete", "namespace", "shop", "--wait=false")
    kubevirt.handler.end_all(vms)


def test_the_page_on_virtual_machines_shows_what_its_examples_print(
    namespace_with_network: ControlPlane,
) -> None:
    for example in examples(VMS_PAGE):
        follow(namespace_with_network, example)


@pytest.mark.parametrize("document", MANIFESTS)
def test_a_manifest_is_shown_as_its_file_has_it(document: str) -> None:
    named = 0
    for _, block in blocks(document, "yaml"):
        heading, _, manifest = block.partition("\n")
        if heading.startswith("# docs/examples/"):
            named += 1
            assert manifest == (PROJECT / heading.removeprefix("# ")).read_text()
        else:
            list(yaml.safe_load_all(block))
    assert named


def test_every_file_that_the_pages_for_contributors_name_exists() -> None:
    folders = "kube|crds|webhook|controller|deploy|testbed|e2e|simulation|bench|docs|cluster|lint"
    named = re.compile(rf"`((?:{folders})/[\w./*-]+)`")
    pages = [PROJECT / "docs" / f"{page}.md" for page in ("developing", "where-to-change-what")]

    lost = [
        path
        for page in pages
        for path in named.findall(page.read_text())
        if not [*PROJECT.glob(path)]
    ]

    assert lost == []


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
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
