"""Which keys of ConfigMaps are configuration files of Milvus."""

import pytest

from milvus_embedding.domain.delivery.config_files import ConfigFile, config_files
from milvus_embedding.domain.delivery.workload import Container, Mount, Template, Volume

MAP = Volume(name="milvus-config", config_map="my-release")


def of(*mounts: Mount, volumes: tuple[Volume, ...] = (MAP,), config_dir: str = "/milvus/configs") -> Template:
    return Template(containers=(Container(name="proxy", mounts=mounts, config_dir=config_dir),), volumes=volumes)


def mount(path: str, sub_path: str = "") -> Mount:
    return Mount(volume="milvus-config", path=path, sub_path=sub_path)


@pytest.mark.parametrize(
    ("template", "files"),
    [
        pytest.param(
            of(
                mount("/milvus/configs/user.yaml", "user.yaml"),
                mount("/milvus/configs/default.yaml", "default.yaml"),
            ),
            [("my-release", "default.yaml", "default.yaml"), ("my-release", "user.yaml", "user.yaml")],
            id="the Helm chart mounts two, in Milvus' order",
        ),
        pytest.param(
            of(mount("/milvus/configs/user.yaml", "milvus.yaml")),
            [("my-release", "milvus.yaml", "user.yaml")],
            id="customConfigMap of the chart has another key",
        ),
        pytest.param(
            of(mount("/milvus/configs/operator")),
            [("my-release", "user.yaml", "user.yaml")],
            id="milvus-operator mounts a directory and links one key of it",
        ),
        pytest.param(
            of(
                mount("/milvus/configs/user.yaml", "u"),
                volumes=(Volume(name="milvus-config", config_map="my-release", items={"mine.yaml": "u"}),),
            ),
            [("my-release", "mine.yaml", "user.yaml")],
            id="items give a key another path",
        ),
        pytest.param(
            of(
                mount("/milvus/configs"),
                volumes=(
                    Volume(name="milvus-config", config_map="my-release", items={"a": "milvus.yaml", "b": "other"}),
                ),
            ),
            [("my-release", "a", "milvus.yaml")],
            id="the whole directory is mounted",
        ),
        pytest.param(
            of(
                mount("/milvus/configs/user.yaml", "user.yaml"),
                volumes=(
                    Volume(name="milvus-config", config_map="my-release"),
                    Volume(name="milvus-config", secret="s", items={"embedding.yaml": "user.yaml"}),
                ),
            ),
            [],
            id="a projected volume has the file from a Secret",
        ),
        pytest.param(
            of(mount("/etc/milvus/user.yaml", "user.yaml"), config_dir="/etc/milvus"),
            [("my-release", "user.yaml", "user.yaml")],
            id="MILVUSCONF is elsewhere",
        ),
        pytest.param(of(mount("/milvus/tools/run.sh", "run.sh")), [], id="other files are none"),
        pytest.param(of(mount("/milvus/configs/hook.yaml", "hook.yaml")), [], id="other names are not read"),
        pytest.param(
            of(mount("/milvus/configs/user.yaml", "user.yaml"), volumes=(Volume(name="milvus-config", secret="mine"),)),
            [],
            id="a Secret is not looked into",
        ),
        pytest.param(Template(), [], id="an empty template has none"),
    ],
)
def test_config_files_where(template: Template, files: list[tuple[str, str, str]]) -> None:
    assert config_files(template) == tuple(ConfigFile(*file) for file in files)


def test_a_file_that_two_containers_mount_is_named_once() -> None:
    container = Container(name="proxy", mounts=(mount("/milvus/configs/user.yaml", "user.yaml"),))

    assert len(config_files(Template(containers=(container, container), volumes=(MAP,)))) == 1
