"""The pages on delivery say what the operator says: the same snippets, reasons that exist, links that lead on."""

import re
import textwrap
from pathlib import Path

import pytest

from milvus_embedding.domain.delivery.snippets import Target, Way, snippet
from milvus_embedding.domain.delivery.workload import Component
from milvus_embedding.domain.reasons import Reason

DOCS = Path(__file__).parents[4] / "docs"
PAGES = [DOCS / "deliver.md", *sorted((DOCS / "how-to").glob("*.md"))]
CLUSTER = (Component.PROXY, Component.DATA_NODE)
# Names of the same shape as reasons.
OTHER_NAMES = {
    "ConfigDelivered",
    "KeyValid",
    "DeleteIfEmpty",
    "RespectIgnoreDifferences",
    "ReleasedNotDeleted",
    "CollectionDropped",
}


def blocks(page: Path) -> list[str]:
    """The YAML of a page, indented or not."""
    found = re.findall(r"^( *)```yaml\n(.*?)^ *```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


@pytest.mark.parametrize(
    ("page", "target", "way"),
    [
        pytest.param("helm.md", Target.HELM, Way.FILE, id="the values of the Helm chart"),
        pytest.param("helm.md", Target.HELM, Way.ENVIRONMENT, id="the values for variables"),
        pytest.param("milvus-operator.md", Target.MILVUS, Way.FILE, id="the Milvus resource"),
        pytest.param("milvus-operator.md", Target.MILVUS, Way.ENVIRONMENT, id="the Milvus resource for variables"),
        pytest.param("milvus-operator.md", Target.MILVUS, Way.LIVE, id="the Milvus resource for Live"),
    ],
)
def test_a_page_has_the_very_snippet_of_the_condition(page: str, target: Target, way: Way) -> None:
    wanted = snippet(target, secret="milvus-embedding-config", components=CLUSTER, way=way)

    assert wanted in blocks(DOCS / "how-to" / page)


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_all_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page

        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_what_a_page_calls_by_a_name_of_two_words_is_a_reason_or_known_otherwise(page: Path) -> None:
    written = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", page.read_text(encoding="utf-8")))

    assert written <= {reason.value for reason in Reason} | OTHER_NAMES
