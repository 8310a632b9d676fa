"""The rendered sections in somebody's own milvus.yaml."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.files.base_file import BaseFileError, merge

OURS: dict[str, object] = {
    "credential": {"apikey_dev": {"apikey": "sk-1"}},
    "function": {"textEmbedding": {"providers": {"dashscope": {"credential": "apikey_dev"}}}},
}
STOCK = """\
# The configuration of our Milvus.
etcd:
  endpoints: [localhost:2379]  # one is enough

credential:
  aksk1:
    access_key_id:   # not used
    secret_access_key:
# Functions
function:
  textEmbedding:
    providers:
      openai:
        credential:  # none
      dashscope:
        credential:  # The name in the credential section
        url:  # Your own endpoint
      # cohere is not used
# end of functions

proxy:
    port: 19530
"""
STOCK_MERGED = """\
# The configuration of our Milvus.
etcd:
  endpoints: [localhost:2379]  # one is enough

credential:
  aksk1:
    access_key_id:   # not used
    secret_access_key:
  "apikey_dev":
    "apikey": "sk-1"
# Functions
function:
  textEmbedding:
    providers:
      openai:
        credential:  # none
      dashscope:
        credential: "apikey_dev"  # The name in the credential section
        url:  # Your own endpoint
      # cohere is not used
# end of functions

proxy:
    port: 19530
"""


def test_a_stock_file_keeps_every_comment_and_gets_its_empty_values_filled_in() -> None:
    assert merge(STOCK, OURS, mask=False) == STOCK_MERGED


@pytest.mark.parametrize(
    ("base", "merged"),
    [
        pytest.param("", {**OURS}, id="an empty file becomes the sections"),
        pytest.param("# nothing but a comment\n", {**OURS}, id="a file of comments gets the sections"),
        pytest.param("etcd: {a: 1}", {"etcd": {"a": 1}, **OURS}, id="a last line without a line break is no obstacle"),
        pytest.param("credential:\n", {**OURS}, id="an empty section is filled"),
        pytest.param("credential: {}\nfunction: null\n", {**OURS}, id="a section written as empty is filled"),
        pytest.param(
            "proxy:\n  note: |\n    text\n    more\n",
            {"proxy": {"note": "text\nmore\n"}, **OURS},
            id="a block of text at the end stays whole",
        ),
        pytest.param("list:\n- a\n- b\n\n\n", {"list": ["a", "b"], **OURS}, id="a list at the end stays whole"),
        pytest.param(
            "credential:\n    other: {apikey: x}\n",
            {**OURS, "credential": {"other": {"apikey": "x"}, "apikey_dev": {"apikey": "sk-1"}}},
            id="other labels stay, in their own indentation",
        ),
        pytest.param(
            "function:\n  textEmbedding:\n    providers:\n      dashscope:\n        credential: apikey_dev\n",
            {**OURS},
            id="a value that is the wanted one already stays",
        ),
    ],
)
def test_the_result_means_both(base: str, merged: object) -> None:
    assert yaml.safe_load(merge(base, OURS, mask=False)) == merged


@pytest.mark.parametrize(
    ("base", "told"),
    [
        pytest.param(
            "x: 1\ncredential:\n  apikey_dev:\n    apikey: sk-other-key\n",
            "line 3: credential.apikey_dev of the base file and label apikey_dev",
            id="the same label in both",
        ),
        pytest.param(
            "credential:\n  apikeydev: {apikey: sk-other-key}\n",
            "credential.apikeydev of the base file and label apikey_dev",
            id="a label that Milvus cannot tell apart",
        ),
        pytest.param(
            "function:\n  textEmbedding:\n    providers:\n      dashscope:\n        credential: sk-other-key\n",
            "line 5: function.textEmbedding.providers.dashscope.credential has a value already",
            id="another default key",
        ),
        pytest.param("function: {textEmbedding: {enable: true}}\n", "block style", id="a section in flow style"),
        pytest.param("- a\n", "a map in block style", id="a list"),
        pytest.param("a: [\n", "not valid YAML", id="broken YAML"),
        pytest.param("a: \x00\n", "not valid YAML", id="a character that YAML does not allow"),
    ],
)
def test_what_does_not_fit_is_named_and_no_value_is_quoted(base: str, told: str) -> None:
    with pytest.raises(BaseFileError) as caught:
        merge(base, OURS, mask=False)
    assert told in str(caught.value)
    assert "sk-other-key" not in str(caught.value)


def test_with_a_mask_the_keys_of_the_base_are_masked_too() -> None:
    base = "credential:\n  other:\n    apikey: sk-other-key\n  long:\n    json: |\n      sk-other-key\nproxy: 1\n"
    merged = merge(base, {"credential": {"ours": {"apikey": "********"}}}, mask=True)
    assert "sk-other-key" not in merged
    masks = {"apikey": "********"}
    assert yaml.safe_load(merged) == {
        "credential": {"other": masks, "long": {"json": "********"}, "ours": masks},
        "proxy": 1,
    }


_NAMES = st.text(alphabet="abcxyz", min_size=1, max_size=4)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(base=st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_whatever_else_is_in_the_file_stays_as_it_is(base: dict[str, object]) -> None:
    text = yaml.safe_dump(base, allow_unicode=True) if base else ""
    merged = merge(text, OURS, mask=False)
    # Of what was dumped: YAML itself does not bring every line break back.
    assert yaml.safe_load(merged) == {**(yaml.safe_load(text) or {}), **OURS}
    assert merged.startswith(text)
