"""The YAML that users are told to add is valid, fits a condition, and passes the very check that asked for it."""

import itertools
from collections.abc import Mapping, Sequence
from typing import cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.delivery.mounts import Mounted, check
from milvus_embedding.domain.delivery.snippets import Target, Way, snippet
from milvus_embedding.domain.delivery.workload import Component, Container, Mount, Template, Variable, Volume
from milvus_embedding.domain.rendering.document import FILE_KEY, VARIABLES

CLUSTER = (Component.PROXY, Component.DATA_NODE)
ALL = tuple(Component)
SECRET = "milvus-embedding-config"

Tree = Mapping[str, object]


def trees(text: str) -> list[Tree]:
    return [cast("Tree", document) for document in yaml.safe_load_all(text) if document is not None]


def blocks(target: Target, way: Way, components: Sequence[Component], secret: str = SECRET) -> list[Tree]:
    """What each of the components gets of it."""
    tree = trees(snippet(target, secret=secret, components=components, way=way))[-1]
    if target is Target.MILVUS:
        tree = cast("Tree", cast("Tree", tree["spec"])["components"])
        return [cast("Tree", tree[component.in_milvus_resource]) for component in components]
    if way is Way.FILE:
        return [tree]
    return [cast("Tree", tree[component.in_milvus_resource]) for component in components]


def as_template(block: Tree) -> Template:
    """What installations make of it."""
    rows = {name: cast("Sequence[Mapping[str, str]]", block.get(name, ())) for name in ("volumeMounts", "env")}
    variables = rows["env"] or cast("Sequence[Mapping[str, str]]", block.get("extraEnv", ()))
    container = Container(
        name="proxy",
        mounts=tuple(
            Mount(volume=row["name"], path=row["mountPath"], sub_path=row.get("subPath", ""))
            for row in rows["volumeMounts"]
        ),
        variables=tuple(_variable(row) for row in variables),
    )
    volumes = cast("Sequence[Mapping[str, Mapping[str, object]]]", block.get("volumes", ()))
    return Template(containers=(container,), volumes=tuple(_volume(row) for row in volumes))


def _variable(row: Mapping[str, object]) -> Variable:
    ref = cast("Mapping[str, Mapping[str, str]]", row["valueFrom"])["secretKeyRef"]
    return Variable(name=str(row["name"]), secret=ref["name"], key=ref["key"])


def _volume(row: Mapping[str, Mapping[str, object]]) -> Volume:
    if "secret" not in row:
        return Volume(name=str(row["name"]), config_map=str(row["configMap"]["name"]))
    items = cast("Sequence[Mapping[str, str]]", row["secret"]["items"])
    return Volume(
        name=str(row["name"]),
        secret=cast("str", row["secret"]["secretName"]),
        items={item["key"]: item["path"] for item in items},
    )


CASES = [
    pytest.param(target, way, components, id=f"{way} for the {target} with {len(components)}")
    for target, way, components in itertools.product(Target, Way, (CLUSTER, (Component.STANDALONE,)))
    if (target, way) != (Target.HELM, Way.LIVE)
]


@pytest.mark.parametrize(("target", "way", "components"), CASES)
def test_whoever_follows_a_snippet_is_mounted(target: Target, way: Way, components: Sequence[Component]) -> None:
    for block in blocks(target, way, components):
        found = check(
            as_template(block),
            secret=SECRET,
            file_key=FILE_KEY,
            environment=VARIABLES if way is Way.ENVIRONMENT else None,
            live=way is Way.LIVE,
            milvus_resource=target is Target.MILVUS,
        )

        assert isinstance(found, Mounted)


@pytest.mark.parametrize(("target", "way", "components"), CASES)
def test_a_snippet_fits_a_condition(target: Target, way: Way, components: Sequence[Component]) -> None:
    usual = snippet(target, secret=SECRET, components=components, way=way)
    longest = snippet(target, secret="a" * 253, components=components, way=way)

    assert len(usual) < (900 if way is Way.LIVE else 500)
    assert len(longest) <= (1100 if way is Way.LIVE else 1000)


def test_the_chart_cannot_do_live_and_says_what_to_do_instead() -> None:
    text = snippet(Target.HELM, secret=SECRET, components=CLUSTER, way=Way.LIVE)

    assert trees(text) == []
    assert "strategy of the MilvusConnection to Restart" in text


def test_live_starts_each_component_by_its_own_role() -> None:
    script, milvus = trees(snippet(Target.MILVUS, secret=SECRET, components=ALL, way=Way.LIVE))
    components = cast("Mapping[str, Mapping[str, Sequence[str]]]", cast("Tree", milvus["spec"])["components"])

    assert [components[c.in_milvus_resource]["commands"][-1] for c in ALL] == ["proxy", "datanode", "standalone"]
    assert 'exec "$@"' in cast("Mapping[str, str]", script["data"])["start.sh"]


@given(st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True) | st.sampled_from(["1e5", "on", "null"]))
def test_any_name_of_a_secret_comes_back_as_that_text(secret: str) -> None:
    (block,) = blocks(Target.MILVUS, Way.FILE, (Component.STANDALONE,), secret)

    assert as_template(block).volumes[0].secret == secret
