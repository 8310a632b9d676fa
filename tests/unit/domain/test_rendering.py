"""The documents and what they remember: the same input gives the same bytes, and no key is lost or shown."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.rendering.document import MASK, Provider, config_hash, masked, sections, to_yaml
from milvus_embedding.domain.rendering.render import Judgement, Rendered, Source, judged, render
from milvus_embedding.domain.rendering.rotation import Rotation
from milvus_embedding.domain.rendering.state import LabelMemory, State, dump

NOW, BEFORE = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"
TODAY = datetime.fromisoformat(NOW)
FRESH, SECOND = Rotation(changed=TODAY), Rotation(generation=2, changed=TODAY)
RETURNED = replace(SECOND, returned=True)
LABELS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
KEYS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(str.strip)
HOSTILE = [
    "0123456789",
    "1e5",
    "0x1F",
    "yes",
    "null",
    "~",
    "true",
    "2026-01-01",
    "a: b",
    "# no comment",
    "'single'",
    '"double"',
    "back\\slash",
    "{flow: 1}",
    "*alias",
    "!tag",
    "%percent",
    "spaces  inside",
    "ümläut",
    "\u2028separator",
    "emoji 🔑",
    "x" * 4096,
    "- dash",
    "${VAR}",
]


def hashed(keys: Mapping[str, str], provider: Provider | None = None, *, owner_id: str = "o", name: str = "n/c") -> str:
    return config_hash(keys, provider or Provider(), owner_id=owner_id, connection=name)


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_come_back_as_the_same_text(value: str) -> None:
    read = yaml.safe_load(to_yaml(sections({"label": value, "123": value, "yes": value}, Provider(url=value))))

    assert read["credential"] == {name: {"apikey": value} for name in ("label", "123", "yes")}
    assert read["function"]["textEmbedding"]["providers"]["dashscope"]["url"] == value


@given(st.dictionaries(LABELS, KEYS))
def test_the_document_round_trips_and_its_bytes_do_not_depend_on_the_order(keys: dict[str, str]) -> None:
    text = to_yaml(sections(keys, Provider()))

    assert yaml.safe_load(text) == {"credential": {label: {"apikey": key} for label, key in keys.items()}}
    assert to_yaml(sections(dict(reversed(keys.items())), Provider())) == text


@given(st.dictionaries(LABELS, KEYS, min_size=1))
def test_every_scalar_is_quoted(keys: dict[str, str]) -> None:
    for line in to_yaml(sections(keys, Provider(default_label="a", url="b"))).strip().split("\n"):
        name, _, value = line.strip().partition(": ")
        assert name.startswith('"')
        assert not value or value.startswith('"')


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (Provider(), None),
        (Provider(default_label="dev"), {"credential": "dev"}),
        (Provider(url="https://x"), {"url": "https://x"}),
        (Provider(default_label="dev", url="https://x"), {"credential": "dev", "url": "https://x"}),
    ],
)
def test_the_providers_section(provider: Provider, expected: dict[str, str] | None) -> None:
    document = yaml.safe_load(to_yaml(sections({}, provider)))

    function = {"function": {"textEmbedding": {"providers": {"dashscope": expected}}}} if expected else {}
    assert document == {"credential": {}} | function


def test_a_masked_document_shows_labels_and_no_key() -> None:
    document = masked(sections({"dev": "sk-secret"}, Provider(default_label="dev")))

    assert document["credential"] == {"dev": {"apikey": MASK}}
    assert "function" in document


@given(st.dictionaries(LABELS, KEYS, min_size=1), st.randoms(use_true_random=False))
def test_the_hash_is_the_same_in_any_order(keys: dict[str, str], dice: random.Random) -> None:
    items = list(keys.items())
    dice.shuffle(items)

    assert hashed(dict(items)) == hashed(keys)


def test_the_hash_never_changes_between_versions() -> None:
    """Another value here would restart every Milvus at an upgrade of the operator."""
    provider = Provider(default_label="dev", url="https://x")

    assert hashed({"dev": "sk-1", "prod": "sk-2"}, provider) == "89765020e8a089f32eebe4f2af03015a"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(hashed({"dev": "sk-2"}), id="a key"),
        pytest.param(hashed({"prod": "sk-1"}), id="a label"),
        pytest.param(hashed({"dev": "sk-1", "prod": "sk-1"}), id="one more label"),
        pytest.param(hashed({"dev": "sk-1"}, Provider(url="https://x")), id="the url"),
        pytest.param(hashed({"dev": "sk-1"}, Provider(default_label="dev")), id="the default"),
        pytest.param(hashed({"dev": "sk-1"}, owner_id="p"), id="the owner"),
        pytest.param(hashed({"dev": "sk-1"}, name="n/d"), id="the connection"),
    ],
)
def test_the_hash_differs_with(other: str) -> None:
    assert other != hashed({"dev": "sk-1"})


def rendered(
    previous: Mapping[str, LabelMemory], *sources: Source, uses: Mapping[str, int] | None = None, released: str = ""
) -> Rendered:
    return render(previous, sources, uses={} if uses is None else uses, released=[released], now=TODAY)


def source(value: str | None = "new", label: str = "dev", **changes: object) -> Source:
    return replace(Source(label=label, owner=f"n/{label}", value=value), **changes)  # type: ignore[arg-type]


PROVEN = LabelMemory(owner="n/dev", since=BEFORE, proven="old", proven_at=BEFORE)
UNPROVEN = LabelMemory(owner="n/dev", since=BEFORE, candidate="old")
BOTH = replace(PROVEN, candidate="next")

TRANSITIONS: dict[str, tuple[LabelMemory | None, Source, LabelMemory | None]] = {
    "a first key that embeds is proven": (
        None,
        source(proven_at=NOW),
        LabelMemory(owner="n/dev", since=NOW, proven="new", proven_at=NOW, rotation=FRESH),
    ),
    "a first key that nobody can prove is a candidate": (
        None,
        source(),
        LabelMemory(owner="n/dev", since=NOW, candidate="new", rotation=FRESH),
    ),
    "a first key that is refused is not taken": (None, source(refused=True), None),
    "a first key that cannot be read is nothing": (None, source(None), None),
    "a new key that embeds replaces the proven one": (
        PROVEN,
        source(proven_at=NOW),
        replace(PROVEN, proven="new", proven_at=NOW, rotation=SECOND),
    ),
    "a new key that nobody can prove is a candidate beside the proven one": (
        PROVEN,
        source(),
        replace(PROVEN, candidate="new", rotation=SECOND),
    ),
    "a new key that is refused changes nothing": (PROVEN, source(refused=True), PROVEN),
    "the proven key refused by now stays, for it is the last good one": (PROVEN, source("old", refused=True), PROVEN),
    "a key that cannot be read keeps the proven one": (PROVEN, source(None), PROVEN),
    "a key that cannot be read keeps the candidate": (UNPROVEN, source(None), UNPROVEN),
    "a candidate that embeds is proven": (
        BOTH,
        source("next", proven_at=NOW),
        replace(PROVEN, proven="next", proven_at=NOW),
    ),
    "a candidate that is refused gives way to the proven one": (
        BOTH,
        source("next", refused=True),
        replace(PROVEN, rotation=RETURNED),
    ),
    "a candidate that is refused and has no proven one stays": (UNPROVEN, source("old", refused=True), UNPROVEN),
    "back to the proven value drops the candidate": (BOTH, source("old"), replace(PROVEN, rotation=RETURNED)),
    "a newer candidate replaces the older": (
        BOTH,
        source("newest"),
        replace(BOTH, candidate="newest", rotation=SECOND),
    ),
    "proven again at a later time": (PROVEN, source("old", proven_at=NOW), replace(PROVEN, proven_at=NOW)),
    "what another owner had is not inherited": (replace(PROVEN, owner="n/other"), source(None), None),
}


@pytest.mark.parametrize("sentence", TRANSITIONS)
def test_what_becomes_of_a_label(sentence: str) -> None:
    before, given_source, after = TRANSITIONS[sentence]

    result = rendered({"dev": before} if before else {}, given_source)

    assert result.memory == ({"dev": after} if after else {})
    assert result.keys == ({"dev": after.value} if after else {})
    assert result.missing == (() if after else ("dev",))


@pytest.mark.parametrize(
    ("uses", "stays"),
    [
        pytest.param({"dev": 1}, True, id="in use"),
        pytest.param({"dev": 0}, False, id="counted, and not in use"),
        pytest.param({}, False, id="counted, and nowhere seen"),
        pytest.param(None, True, id="not known"),
    ],
)
def test_a_label_without_a_living_credential(uses: Mapping[str, int] | None, *, stays: bool) -> None:
    result = render({"dev": PROVEN}, [], uses=uses, released=[], now=TODAY)

    assert result.keys == ({"dev": "old"} if stays else {})
    assert result.retained == (("dev",) if stays else ())
    assert result.missing == ()


@pytest.mark.parametrize("sources", [[], [source()]], ids=["retained", "living"])
def test_a_released_label_goes_although_it_is_in_use(sources: list[Source]) -> None:
    result = render({"dev": PROVEN}, sources, uses=None, released=["dev"], now=TODAY)

    assert (result.memory, result.keys, result.retained, result.missing) == ({}, {}, (), ())


JUDGEMENTS: dict[str, tuple[LabelMemory, str, bool, LabelMemory]] = {
    "a candidate that embeds through Milvus is proven": (
        BOTH,
        "digest of next",
        True,
        replace(PROVEN, proven="next", proven_at=NOW, rotation=Rotation(effective=1, effective_at=TODAY)),
    ),
    "the proven value stays as it was proven first": (
        PROVEN,
        "digest of old",
        True,
        replace(PROVEN, rotation=Rotation(effective=1, effective_at=TODAY)),
    ),
    "a candidate that is refused gives way and is not to be taken again": (
        BOTH,
        "digest of next",
        False,
        replace(PROVEN, rotation=replace(RETURNED, refused="digest of next")),
    ),
    "without another value the refused one stays": (UNPROVEN, "digest of old", False, UNPROVEN),
    "the proven value that is refused stays": (PROVEN, "digest of old", False, PROVEN),
    "an answer about another value says nothing": (BOTH, "digest of old", False, BOTH),
}


@pytest.mark.parametrize("sentence", JUDGEMENTS)
def test_what_was_found_out_through_milvus(sentence: str) -> None:
    before, digest, embeds, after = JUDGEMENTS[sentence]
    judgements = {"dev": Judgement(digest, embeds, TODAY), "gone": Judgement("", True, TODAY)}

    found = judged({"dev": before}, judgements, {"dev": f"digest of {before.value}"}, None, TODAY)

    assert found == {"dev": after}


def test_a_refused_value_is_forgotten_when_another_one_is_taken() -> None:
    before = replace(PROVEN, rotation=replace(SECOND, refused="digest"))

    result = rendered({"dev": before}, source("third"))

    assert result.memory["dev"].rotation == Rotation(generation=3, changed=TODAY)


def test_a_refused_value_is_forgotten_when_its_source_has_the_proven_one_again() -> None:
    before = replace(PROVEN, rotation=replace(RETURNED, refused="digest"))

    result = rendered({"dev": before}, source("old"))

    assert result.memory["dev"].rotation == RETURNED


LOST = LabelMemory(owner="n/dev", since=NOW)
USED: dict[str, tuple[Mapping[str, int] | None, bool]] = {
    "stays remembered while collections name it": ({"dev": 1}, True),
    "stays remembered while that is not known": (None, True),
    "is forgotten when nothing names it": ({"dev": 0}, False),
}


@pytest.mark.parametrize("sources", [[], [Source(label="dev", owner="n/dev")]], ids=["gone", "living"])
@pytest.mark.parametrize("sentence", USED)
def test_a_label_that_lost_its_key(sentence: str, sources: list[Source]) -> None:
    uses, stays = USED[sentence]

    result = render({"dev": LOST}, sources, uses=uses, released=[], now=TODAY)

    assert result.lost == (("dev",) if stays else ())
    assert result.memory == ({"dev": LOST} if stays else {})
    assert result.keys == {}


ANSWERED: dict[str, tuple[LabelMemory, list[Source], frozenset[str]]] = {
    "a candidate is not": (BOTH, [source("next")], frozenset({"dev"})),
    "a candidate without its credential is not": (BOTH, [], frozenset({"dev"})),
    "a proven value is": (PROVEN, [source("old")], frozenset()),
    "one whose user answers for it is": (BOTH, [replace(source("next"), declared=True)], frozenset()),
}


@pytest.mark.parametrize("sentence", ANSWERED)
def test_whether_a_value_is_answered_for(sentence: str) -> None:
    before, sources, unproven = ANSWERED[sentence]

    assert render({"dev": before}, sources, uses=None, released=[], now=TODAY).unproven == unproven


SOURCES = st.lists(
    st.builds(
        Source,
        label=LABELS,
        owner=st.just("n/x"),
        value=st.none() | KEYS,
        proven_at=st.none() | st.just(NOW),
        refused=st.booleans(),
    ),
    unique_by=lambda s: s.label,
    max_size=5,
)


@given(SOURCES, st.randoms(use_true_random=False))
def test_any_order_of_sources_gives_the_same_bytes(sources: list[Source], dice: random.Random) -> None:
    previous = {s.label: replace(PROVEN, owner="n/x") for s in sources[::2]}
    shuffled = list(sources)
    dice.shuffle(shuffled)

    one, other = rendered(previous, *sources), rendered(dict(reversed(previous.items())), *shuffled)

    assert to_yaml(sections(one.keys, Provider())) == to_yaml(sections(other.keys, Provider()))
    assert dump(State(one.memory)) == dump(State(other.memory))
    assert one.missing == other.missing


@given(SOURCES)
def test_rendering_its_own_result_again_changes_nothing(sources: list[Source]) -> None:
    once = rendered({}, *sources)

    assert rendered(once.memory, *sources) == once


@given(SOURCES)
def test_every_label_of_a_living_credential_has_a_value_or_is_missing_and_none_is_empty(sources: list[Source]) -> None:
    result = rendered({}, *sources)

    assert {s.label for s in sources} == set(result.keys) | set(result.missing)
    assert all(result.keys.values())


def test_the_hash_does_not_depend_on_when_a_key_was_proven() -> None:
    once = rendered({}, source(proven_at=BEFORE))
    again = rendered(once.memory, source(proven_at=NOW))

    assert once.memory != again.memory
    assert hashed(once.keys) == hashed(again.keys)


def test_no_key_is_in_any_repr() -> None:
    secret = "sk-do-not-show"
    shown = [
        source(secret),
        LabelMemory(owner="n/a", since=NOW, proven=secret, candidate=secret),
        rendered({}, source(secret)),
    ]

    assert secret not in repr(shown)
