"""What a pod template has of the rendered Secret, and each way to get it wrong by name."""

import dataclasses
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.delivery.mounts import Absent, Broken, Mounted, Mounting, check
from milvus_embedding.domain.delivery.workload import (
    Container,
    Mount,
    Template,
    Variable,
    VariableSource,
    Volume,
)
from milvus_embedding.domain.rendering.document import FILE_KEY, VARIABLES

SECRET = "milvus-embedding-config"
ITEMS = {"embedding.yaml": "embedding.yaml"}
OURS = Volume(name="emb", secret=SECRET, items=ITEMS)
WHOLE = Volume(name="emb", secret=SECRET)
CONFIG_MAP = Volume(name="milvus-config", config_map="my-release-milvus")
HELM_MOUNT = Mount(volume="emb", path="/milvus/configs/_test.yaml", sub_path="embedding.yaml")
HELM_OWN = Mount(volume="milvus-config", path="/milvus/configs/user.yaml", sub_path="user.yaml")
NEW, OLD = "MILVUS_DASHSCOPE_API_KEY", "MILVUSAI_DASHSCOPE_API_KEY"


def template(*mounts: Mount, volumes: tuple[Volume, ...] = (OURS,), config_dir: str = "/milvus/configs") -> Template:
    return Template(containers=(Container(name="proxy", mounts=mounts, config_dir=config_dir),), volumes=volumes)


def at(path: str, sub_path: str = "embedding.yaml") -> Mount:
    return Mount(volume="emb", path=path, sub_path=sub_path)


def of_file(template: Template, *, live: bool = False, milvus_resource: bool = False) -> Mounting:
    return check(
        template, secret=SECRET, file_key=FILE_KEY, environment=None, live=live, milvus_resource=milvus_resource
    )


def of_variables(*containers: Container) -> Mounting:
    return check(
        Template(containers=containers),
        secret=SECRET,
        file_key=FILE_KEY,
        environment=VARIABLES,
        live=False,
        milvus_resource=False,
    )


@pytest.mark.parametrize(
    ("given_template", "file_name"),
    [
        pytest.param(template(HELM_MOUNT), "_test.yaml", id="the snippet for the chart"),
        pytest.param(template(HELM_MOUNT, volumes=(WHOLE,)), "_test.yaml", id="a volume with all keys"),
        pytest.param(template(at("/milvus/configs/default.yaml")), "default.yaml", id="the place of the chart's own"),
        pytest.param(template(at("/milvus/configs/_test.yaml/")), "_test.yaml", id="a path with a slash at its end"),
        pytest.param(
            template(
                at("/milvus/configs/user.yaml", "user.yaml"),
                volumes=(Volume(name="emb", secret=SECRET, items={"embedding.yaml": "user.yaml"}),),
            ),
            "user.yaml",
            id="the key under another name in the volume",
        ),
        pytest.param(
            template(at("/etc/milvus/_test.yaml"), config_dir="/etc/milvus"), "_test.yaml", id="MILVUSCONF elsewhere"
        ),
        pytest.param(
            template(
                Mount(volume="emb", path="/milvus/configs/default.yaml", sub_path="default.yaml"),
                at("/milvus/configs/user.yaml", "user.yaml"),
                volumes=(
                    Volume(name="emb", config_map="my-release-milvus", items={"default.yaml": "default.yaml"}),
                    Volume(name="emb", secret=SECRET, items={"embedding.yaml": "user.yaml"}),
                ),
            ),
            "user.yaml",
            id="a projected volume that also has the chart's file",
        ),
        pytest.param(template(HELM_OWN, HELM_MOUNT, volumes=(CONFIG_MAP, OURS)), "_test.yaml", id="beside the chart's"),
        pytest.param(template(at("/backup/x"), HELM_MOUNT), "_test.yaml", id="and a second mount that does no harm"),
    ],
)
def test_a_file_is_mounted_by(given_template: Template, file_name: str) -> None:
    found = of_file(given_template)

    assert isinstance(found, Mounted)
    assert found.file_name == file_name
    assert found.container == "proxy"
    assert found.path.endswith(f"/{file_name}")


def test_a_sidecar_does_not_count_if_another_container_has_the_file() -> None:
    sidecar = Container(name="proxy-log", mounts=(at("/x"),))
    milvus = Container(name="proxy", mounts=(HELM_MOUNT,))

    found = of_file(Template(containers=(sidecar, milvus), volumes=(OURS,)))

    assert found == Mounted(container="proxy", path="/milvus/configs/_test.yaml", file_name="_test.yaml")


def test_the_snippet_for_milvus_operator_is_mounted_under_it() -> None:
    found = of_file(template(at("/milvus/configs/default.yaml")), milvus_resource=True)

    assert isinstance(found, Mounted)


@pytest.mark.parametrize(
    ("given_template", "words"),
    [
        pytest.param(template(HELM_OWN, volumes=(CONFIG_MAP,)), "no volume", id="no volume of the Secret"),
        pytest.param(template(HELM_OWN, volumes=(CONFIG_MAP, OURS)), "volume emb", id="a volume that nothing mounts"),
        pytest.param(
            template(HELM_MOUNT, volumes=(Volume(name="emb", secret="other"),)), "no volume", id="another Secret"
        ),
        pytest.param(Template(), "no volume", id="an empty template"),
    ],
)
def test_it_is_absent_with(given_template: Template, words: str) -> None:
    found = of_file(given_template)

    assert isinstance(found, Absent)
    assert words in found.sentence


BROKEN: Mapping[str, tuple[Template, str]] = {
    "the image's own file": (template(at("/milvus/configs/milvus.yaml")), "replaces the image's own"),
    "a directory where Milvus looks for nothing": (template(at("/etc/embedding.yaml")), "where Milvus reads no config"),
    "a file name that Milvus does not read": (template(at("/milvus/configs/embedding.yaml")), "reads no configuration"),
    "a subdirectory of the configuration": (
        template(at("/milvus/configs/operator/user.yaml")),
        "reads no configuration",
    ),
    "the whole directory of the configuration": (template(at("/milvus/configs", "")), "hides all"),
    "a directory above the configuration": (template(at("/milvus/", "")), "hides all"),
    "no subPath at a file": (template(at("/milvus/configs/_test.yaml", "")), "becomes a directory"),
    "a subPath that the volume does not have": (
        template(at("/milvus/configs/_test.yaml", "user.yaml")),
        "does not have",
    ),
    "a subPath that items have renamed": (
        template(
            at("/milvus/configs/_test.yaml"),
            volumes=(Volume(name="emb", secret=SECRET, items={"embedding.yaml": "e.yaml"}),),
        ),
        "set it to e.yaml",
    ),
    "items that map another key": (
        template(HELM_MOUNT, volumes=(Volume(name="emb", secret=SECRET, items={"state.json": "embedding.yaml"}),)),
        "items for the keys state.json and not for embedding.yaml",
    ),
    "the wrong key of the Secret": (
        template(at("/milvus/configs/_test.yaml", "state.json"), volumes=(WHOLE,)),
        "key state.json",
    ),
    "an optional volume": (
        template(HELM_MOUNT, volumes=(dataclasses.replace(OURS, optional=True),)),
        "optional: true",
    ),
    "a good mount beside one that replaces the image's file": (
        template(HELM_MOUNT, at("/milvus/configs/milvus.yaml")),
        "replaces the image's own",
    ),
}


@pytest.mark.parametrize(("given_template", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_it_is_broken_with(given_template: Template, words: str) -> None:
    found = of_file(given_template)

    assert isinstance(found, Broken)
    assert words in found.sentence
    assert "container proxy, volumeMount emb: " in found.sentence


def test_no_two_ways_to_get_it_wrong_are_told_alike() -> None:
    sentences = [found.sentence for given, _ in BROKEN.values() if isinstance(found := of_file(given), Broken)]

    assert len(sentences) == len(BROKEN)
    # Both replace the image's file, one with a good mount beside it.
    assert len(set(sentences)) == len(BROKEN) - 1


def test_user_yaml_is_taken_by_milvus_operator_and_default_yaml_is_proposed() -> None:
    found = of_file(template(at("/milvus/configs/user.yaml")), milvus_resource=True)

    assert isinstance(found, Broken)
    assert "start script of milvus-operator" in found.sentence
    assert "set it to /milvus/configs/default.yaml" in found.sentence


def test_the_fix_names_the_directory_that_milvus_reads() -> None:
    found = of_file(template(HELM_MOUNT, config_dir="/etc/milvus"))

    assert isinstance(found, Broken)
    assert "set it to /etc/milvus/_test.yaml" in found.sentence


class TestLive:
    def test_a_directory_of_its_own_is_what_is_wanted(self) -> None:
        found = of_file(template(at("/milvus/embedding", "")), live=True)

        assert found == Mounted(container="proxy", path="/milvus/embedding")

    @pytest.mark.parametrize(
        ("given_template", "words"),
        [
            pytest.param(template(HELM_MOUNT), "never refreshed", id="a subPath at a configuration file"),
            pytest.param(template(at("/milvus/embedding/e.yaml")), "never refreshed", id="a subPath elsewhere"),
            pytest.param(template(at("/milvus/configs", "")), "hides all", id="the directory of the configuration"),
            pytest.param(template(at("/milvus/configs/operator", "")), "mounts its own", id="that of milvus-operator"),
            pytest.param(template(at("/milvus/configs/default.yaml", "")), "keeps Milvus", id="a directory at a file"),
            pytest.param(
                template(at("/e", ""), volumes=(dataclasses.replace(OURS, optional=True),)),
                "never look for it again",
                id="an optional volume",
            ),
            pytest.param(
                template(at("/e", ""), volumes=(Volume(name="emb", secret=SECRET, items={"a": "a"}),)),
                "not for embedding.yaml",
                id="items without the file",
            ),
            pytest.param(
                template(at("/e", ""), volumes=(Volume(name="emb", secret=SECRET),)),
                "state.json with former API keys",
                id="all keys of the Secret",
            ),
        ],
    )
    def test_broken_is(self, given_template: Template, words: str) -> None:
        found = of_file(given_template, live=True, milvus_resource=True)

        assert isinstance(found, Broken)
        assert words in found.sentence


def env(*variables: Variable, sources: tuple[VariableSource, ...] = ()) -> Container:
    return Container(name="proxy", variables=variables, sources=sources)


def ref(name: str, *, secret: str = SECRET, key: str | None = None) -> Variable:
    return Variable(name=name, secret=secret, key=name if key is None else key)


class TestVariables:
    @pytest.mark.parametrize(
        "container",
        [
            pytest.param(env(ref(NEW), ref(OLD)), id="both by reference"),
            pytest.param(env(ref(NEW)), id="the new one alone"),
            pytest.param(env(ref(OLD)), id="the old one alone"),
            pytest.param(env(ref(OLD, key=NEW)), id="one from the key of the other, which is the same"),
            pytest.param(env(Variable(name="OTHER", is_literal=True), ref(NEW)), id="other variables beside it"),
        ],
    )
    def test_it_is_mounted_with(self, container: Container) -> None:
        assert of_variables(container) == Mounted(container="proxy")

    @pytest.mark.parametrize(
        ("container", "words"),
        [
            pytest.param(env(Variable(name=NEW, is_literal=True)), "written into the pod template", id="a literal"),
            pytest.param(env(ref(NEW), Variable(name=OLD, is_literal=True)), OLD, id="a literal beside a reference"),
            pytest.param(env(ref(NEW, secret="mine")), "Secret mine", id="another Secret"),
            pytest.param(env(Variable(name=NEW)), "does not come from a Secret", id="a ConfigMap"),
            pytest.param(env(ref(NEW, key="state.json")), "key state.json", id="another key"),
            pytest.param(
                env(sources=(VariableSource(secret=SECRET, prefix="X_"),)), "all keys", id="envFrom with a prefix"
            ),
            pytest.param(
                env(sources=(VariableSource(secret=SECRET),)), "state.json", id="envFrom, which takes the memory, too"
            ),
            pytest.param(
                env(Variable(name=NEW, is_literal=True), sources=(VariableSource(secret=SECRET),)),
                "written into the pod template",
                id="a literal that wins over envFrom",
            ),
        ],
    )
    def test_it_is_broken_with(self, container: Container, words: str) -> None:
        found = of_variables(container)

        assert isinstance(found, Broken)
        assert words in found.sentence
        assert "container proxy, env" in found.sentence

    @pytest.mark.parametrize(
        "containers",
        [
            pytest.param((), id="no containers"),
            pytest.param((env(),), id="no variables"),
            pytest.param((env(sources=(VariableSource(secret="mine"),)),), id="envFrom of another Secret"),
        ],
    )
    def test_it_is_absent_with(self, containers: tuple[Container, ...]) -> None:
        found = of_variables(*containers)

        assert isinstance(found, Absent)
        assert NEW in found.sentence
        assert SECRET in found.sentence


PATHS = st.sampled_from(["/", "/milvus", "/milvus/configs", "/milvus/configs/", "/milvus/embedding", "//x", ""]) | (
    st.sampled_from(["milvus.yaml", "_test.yaml", "default.yaml", "user.yaml", "operator", "..", "a" * 400]).map(
        "/milvus/configs/{}".format
    )
)
KEYS = st.sampled_from(["", "embedding.yaml", "state.json", "user.yaml", "./embedding.yaml", "a/b", "../x"])
VOLUMES = st.lists(
    st.builds(
        Volume,
        name=st.sampled_from(["emb", "other"]),
        secret=st.sampled_from(["", SECRET, "mine"]),
        items=st.none() | st.dictionaries(KEYS, KEYS, max_size=2),
        optional=st.booleans(),
    ),
    max_size=3,
).map(tuple)
MOUNTS = st.lists(st.builds(Mount, volume=st.sampled_from(["emb", "other"]), path=PATHS, sub_path=KEYS), max_size=3)


@given(MOUNTS, VOLUMES, st.booleans(), st.booleans())
def test_any_template_has_an_answer_that_fits_a_condition(
    mounts: list[Mount], volumes: tuple[Volume, ...], live: bool, milvus_resource: bool
) -> None:
    found = of_file(template(*mounts, volumes=volumes), live=live, milvus_resource=milvus_resource)

    if isinstance(found, Mounted):
        assert any(mount.volume == "emb" or mount.volume == "other" for mount in mounts)
        assert any(volume.secret == SECRET for volume in volumes)
    else:
        assert found.sentence.isprintable()
        assert len(found.sentence) < 700
