"""What wins over the rendered file or the variables is named; values are not."""

import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.devkit.milvus.config import MilvusYaml
from milvus_embedding.domain.delivery.config_files import FILE_NAMES
from milvus_embedding.domain.delivery.shadows import ShadowKind, environment_shadowed, shadowed

LABEL = "credential: {apikey_dev: {apikey: sk-secret}}"
URL = "https://example.com/embed"


def dashscope(**entries: object) -> str:
    return yaml.safe_dump({"function": {"textEmbedding": {"providers": {"dashscope": entries}}}})


def found(
    files: dict[str, str],
    *,
    ours: str = "_test.yaml",
    default: str | None = None,
    url: str | None = None,
    variables: tuple[str, ...] = (),
) -> list[tuple[str, str]]:
    shadows = shadowed(files, ours=ours, labels=["apikey_dev", "team-b"], default=default, url=url, variables=variables)
    return [(shadow.kind.value, shadow.source) for shadow in shadows]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"user.yaml": LABEL}, [("Label", "user.yaml")], id="a later file that has a label of ours"),
        pytest.param({"default.yaml": LABEL}, [("Label", "default.yaml")], id="the file just after ours"),
        pytest.param(
            {"default.yaml": LABEL, "user.yaml": LABEL}, [("Label", "user.yaml")], id="only the last of two, which wins"
        ),
        pytest.param({"milvus.yaml": LABEL}, [], id="nothing, as an earlier file loses"),
        pytest.param({"hook.yaml": LABEL}, [], id="nothing, as Milvus does not read the file"),
        pytest.param({"user.yaml": "credential: {ApiKey_Dev: {ApiKey: x}}"}, [("Label", "user.yaml")], id="capitals"),
        pytest.param({"user.yaml": "Credential: {apikey.dev: {apikey: x}}"}, [("Label", "user.yaml")], id="a dot"),
        pytest.param({"user.yaml": "credential: {apikeydev: {apikey: x}}"}, [("Label", "user.yaml")], id="a fold"),
        pytest.param({"user.yaml": "credential.apikey_dev.apikey: x"}, [("Label", "user.yaml")], id="a dotted key"),
        pytest.param(
            {"user.yaml": "credential: {apikey_dev: {apikey: }}"}, [("Label", "user.yaml")], id="an empty key"
        ),
        pytest.param({"user.yaml": "credential: {team_b: {apikey: x}}"}, [], id="nothing, as a dash is kept"),
        pytest.param({"user.yaml": "credential: {other: {apikey: x}}"}, [], id="nothing, as it is another label"),
        pytest.param(
            {"user.yaml": "credential: {apikey_dev: {access_key_id: x}}"}, [], id="nothing, as it is another kind"
        ),
        pytest.param({"user.yaml": "credential: apikey_dev"}, [], id="nothing, as it is no map"),
        pytest.param({"milvus.yaml": dashscope(enable=False)}, [("Disabled", "milvus.yaml")], id="enable: false"),
        pytest.param({"user.yaml": dashscope(enable="FALSE")}, [("Disabled", "user.yaml")], id="enable: FALSE as text"),
        pytest.param({"user.yaml": dashscope(enable="nope")}, [], id="nothing, as only false disables"),
        pytest.param(
            {"milvus.yaml": dashscope(enable=False), "user.yaml": dashscope(enable=True)},
            [],
            id="nothing, as a later file enables again",
        ),
        pytest.param({"user.yaml": "a: [1"}, [("Unparsable", "user.yaml")], id="text that is no YAML"),
        pytest.param({"user.yaml": "- a"}, [("Unparsable", "user.yaml")], id="a list"),
        pytest.param({"user.yaml": "a: 2001-99-99"}, [("Unparsable", "user.yaml")], id="a date that is none"),
        pytest.param({"user.yaml": f"a: {'9' * 5000}"}, [("Unparsable", "user.yaml")], id="a number without end"),
        pytest.param({"user.yaml": "? [a]\n: b"}, [("Unparsable", "user.yaml")], id="a list as a key"),
        pytest.param({"user.yaml": "# nothing"}, [], id="nothing in an empty file"),
    ],
)
def test_a_file_shadows_by(files: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert found(files) == expected


@pytest.mark.parametrize(
    ("files", "default", "url", "expected"),
    [
        pytest.param(
            {"user.yaml": dashscope(credential="mine")}, "apikey_dev", None, ["Default"], id="another default"
        ),
        pytest.param({"user.yaml": dashscope(credential="")}, "apikey_dev", None, ["Default"], id="an empty default"),
        pytest.param({"user.yaml": dashscope(credential="apikey_dev")}, "apikey_dev", None, [], id="not by the same"),
        pytest.param({"user.yaml": dashscope(credential="mine")}, None, None, [], id="not where we set none"),
        pytest.param({"user.yaml": dashscope(url="https://x")}, None, URL, ["Url"], id="another url"),
        pytest.param({"user.yaml": dashscope(url=URL)}, None, URL, [], id="not by the same url"),
        pytest.param({"user.yaml": dashscope(url="https://x")}, None, None, [], id="not by a url where we set none"),
        pytest.param({"milvus.yaml": dashscope(url="https://x", credential="m")}, "d", URL, [], id="not by an earlier"),
    ],
)
def test_the_provider_is_shadowed_by(
    files: dict[str, str], default: str | None, url: str | None, expected: list[str]
) -> None:
    assert [kind for kind, _ in found(files, default=default, url=url)] == expected


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        pytest.param("CREDENTIAL_APIKEY_DEV_APIKEY", ["Label"], id="the label's own name shadows it"),
        pytest.param("MILVUS_CONF_CREDENTIAL_APIKEY_DEV_APIKEY", ["Label"], id="with Milvus' prefix as well"),
        pytest.param("CREDENTIAL_APIKEYDEV_APIKEY", ["Label"], id="and a name that folds to the same"),
        pytest.param("credential.apikey_dev.apikey", ["Label"], id="and with dots"),
        pytest.param("FUNCTION_TEXTEMBEDDING_PROVIDERS_DASHSCOPE_URL", ["Url"], id="the url's"),
        pytest.param("FUNCTION_TEXTEMBEDDING_PROVIDERS_DASHSCOPE_CREDENTIAL", ["Default"], id="the default's"),
        pytest.param("CREDENTIAL_TEAM_B_APIKEY", [], id="an underscore is no dash"),
        pytest.param("PATH", [], id="others do not"),
    ],
)
def test_a_variable(variable: str, expected: list[str]) -> None:
    assert [kind for kind, _ in found({}, default="apikey_dev", url=URL, variables=(variable,))] == expected


def test_a_variable_that_may_enable_again_is_left_alone() -> None:
    variable = "FUNCTION_TEXTEMBEDDING_PROVIDERS_DASHSCOPE_ENABLE"

    assert found({"user.yaml": dashscope(enable=False)}, variables=(variable,)) == []


def test_where_our_file_is_not_known_no_file_counts_as_later() -> None:
    files = {"user.yaml": LABEL, "default.yaml": dashscope(enable=False)}

    assert found(files, ours="") == [("Disabled", "default.yaml")]


@pytest.mark.parametrize(
    ("files", "variables", "expected"),
    [
        pytest.param({"user.yaml": dashscope(credential="mine")}, (), ["Unresolvable"], id="a label without a key"),
        pytest.param(
            {"milvus.yaml": dashscope(credential="mine") + "credential: {mine: {apikey: sk-x}}"},
            (),
            ["Default"],
            id="a label that has a key",
        ),
        pytest.param(
            {"milvus.yaml": dashscope(credential="mine"), "user.yaml": "credential: {MINE: {apikey: sk-x}}"},
            (),
            ["Default"],
            id="a label that has a key in another file, in capitals there",
        ),
        pytest.param(
            {"user.yaml": dashscope(credential="Mine") + "credential: {Mine: {apikey: sk-x}}"},
            (),
            ["Unresolvable"],
            id="a label with a capital, which Milvus never finds",
        ),
        pytest.param(
            {"user.yaml": dashscope(credential="mine") + "credential: {mine: {apikey: ''}}"},
            (),
            [],
            id="not a label with an empty key, after which the variables count",
        ),
        pytest.param(
            {"user.yaml": dashscope(credential="mine") + "credential: {mine: {apikey: ''}}"},
            ("CREDENTIAL_MINE_APIKEY",),
            ["Default"],
            id="a label with an empty key that a variable fills",
        ),
        pytest.param(
            {"milvus.yaml": dashscope(credential="mine"), "user.yaml": dashscope(credential="")},
            (),
            [],
            id="not a default that a later file takes back",
        ),
        pytest.param(
            {"milvus.yaml": dashscope(credential="")},
            ("FUNCTION_TEXTEMBEDDING_PROVIDERS_DASHSCOPE_CREDENTIAL",),
            ["Default"],
            id="a variable in place of a default",
        ),
        pytest.param(
            {}, ("FUNCTION_TEXTEMBEDDING_PROVIDERS_DASHSCOPE_CREDENTIAL",), [], id="not a variable without a file"
        ),
        pytest.param({"user.yaml": "credential: {mine: {apikey: sk-x}}"}, (), [], id="not labels alone"),
        pytest.param({"user.yaml": dashscope(enable=False)}, (), ["Disabled"], id="a provider that is off"),
        pytest.param({"user.yaml": "{"}, (), ["Unparsable"], id="a file that cannot be read"),
    ],
)
def test_variables_are_shadowed_by(files: dict[str, str], variables: tuple[str, ...], expected: list[str]) -> None:
    assert [shadow.kind.value for shadow in environment_shadowed(files, variables=variables)] == expected


def test_no_value_is_in_what_is_told() -> None:
    text = dashscope(credential="sk-default", url="https://sk-url", enable=False) + LABEL
    shadows = [
        *shadowed({"user.yaml": text}, ours="_test.yaml", labels=["apikey_dev"], default="d", url=URL),
        *environment_shadowed({"user.yaml": text}),
        *environment_shadowed({"user.yaml": "sk-broken: {"}),
    ]

    assert {shadow.kind for shadow in shadows} == set(ShadowKind)
    assert "sk-" not in repr(shadows)
    assert "sk-" not in " ".join(shadow.sentence for shadow in shadows)


def test_each_kind_has_a_sentence_that_names_the_file_and_the_fix() -> None:
    text = dashscope(credential="x", url="y", enable=False) + LABEL
    shadows = [
        *shadowed({"user.yaml": text}, ours="_test.yaml", labels=["apikey_dev"], default="d", url=URL),
        *environment_shadowed({"user.yaml": text}),
        *environment_shadowed({"user.yaml": "{"}),
    ]

    assert all(shadow.sentence.startswith("user.yaml ") for shadow in shadows)
    assert all(": remove it there" in s.sentence or "mend it" in s.sentence for s in shadows)
    assert len({shadow.sentence for shadow in shadows}) == len(set(ShadowKind))


def _bomb() -> str:
    rows = ["a0: &a0 {_: {apikey: x}, .: {apikey: x}, /: {apikey: x}}"]
    rows += [f"a{n}: &a{n} {{_: *a{n - 1}, .: *a{n - 1}, /: *a{n - 1}}}" for n in range(1, 60)]
    return "\n".join([*rows, "credential: *a59"])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(_bomb(), id="a tree of aliases that is huge when it is walked"),
        pytest.param("credential: &a {apikey_dev: *a, _: *a}", id="a map that holds itself"),
        pytest.param("{a: " * 50_000, id="maps without end"),
        pytest.param("[" * 50_000, id="lists without end"),
        pytest.param("".join(f"{' ' * n}a:\n" for n in range(1500)), id="blocks without end"),
        pytest.param("- " * 20_000, id="sequences without end"),
    ],
)
def test_a_hostile_file_is_answered_in_little_memory(text: str) -> None:
    tracemalloc.start()
    try:
        kinds = {kind for kind, _ in found({"user.yaml": text})}
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert kinds <= {"Unparsable"}
    assert peak < 200 * 2**20


LABELS = st.sampled_from(["ab", "a_b", "A_b", "a.b", "a-b", "c"])
FILES = st.dictionaries(
    st.sampled_from(FILE_NAMES),
    st.fixed_dictionaries(
        {},
        optional={
            "credential": st.dictionaries(LABELS, st.just({"apikey": "theirs"}), max_size=1),
            "Function": st.fixed_dictionaries(
                {"textembedding": st.just({"Providers": {"DashScope": {"url": "https://theirs"}}})}
            ),
        },
    ),
)


@given(FILES, st.sampled_from(FILE_NAMES), st.sampled_from(["ab", "a_b", "a-b"]), st.booleans())
def test_a_label_is_shadowed_exactly_if_milvus_reads_another_value(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[str, dict[str, object]],
    ours: str,
    label: str,
    in_environment: bool,
) -> None:
    """Against the development Milvus' own reading of the files."""
    directory = tmp_path_factory.mktemp("configs")
    theirs = {name: yaml.safe_dump(document) for name, document in files.items() if name != ours}
    mine = {"credential": {label: {"apikey": "ours"}}}
    for name, text in {**theirs, ours: yaml.safe_dump(mine)}.items():
        (directory / name).write_text(text)
    environment = {f"CREDENTIAL_{label.upper()}_APIKEY": "theirs"} if in_environment else {}

    shadows = shadowed(theirs, ours=ours, labels=[label], default=None, url=None, variables=environment)

    is_ours = MilvusYaml(directory, environment).credential(label) == "ours"
    assert (not shadows) == is_ours
