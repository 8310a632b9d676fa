"""Moves of a walk, by a sentence each: what users declare, what hands do in Milvus, troubles at a call, and time."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable

from milvus_embedding.api.annotations import APPROVED_PLAN, DELETE_ADOPTED, FORCE_RELEASE, RELEASE_TO
from milvus_embedding.api.references import Key
from milvus_embedding.domain.ownership import OWNER
from milvus_embedding.domain.planning.record import APPLIED, RECORD
from milvus_embedding.domain.schema import LoadState
from tests.fakes.milvus import StoredCollection
from tests.unit.controllers.manifests import CONNECTION, DOCS, fields
from tests.unit.controllers.owners import the_manuals
from tests.unit.controllers.test_collection_crashes import DISTURBANCES
from tests.unit.controllers.walk import COLLECTIONS, HERE, NEWS, STRANGER, THERE, TWIN, Walk, owner

Move = Callable[[Walk], object]
Hand = Callable[[Walk, StoredCollection], object]
MOVES: dict[str, Move] = {}


def _spec(key: Key, sentence: str, **changes: object) -> None:
    MOVES[f"{key.name}: {sentence}"] = lambda walk: walk.declare(key, **changes)


NOTE = {"name": "note", "type": "VARCHAR", "maxLength": 100, "nullable": True}
LONGER = {"name": "document", "type": "VARCHAR", "maxLength": 9500}
SMALL = {"name": "dense", "type": "FLOAT_VECTOR", "dim": 512}
AUTO = {"field": "dense", "type": "AUTOINDEX", "metric": "COSINE"}
EDITS: dict[str, dict[str, object]] = {
    "applied": {},
    "described": {"description": "new"},
    "not described": {"description": None},
    "a property": {"properties": {"my.note": "x"}},
    "mmap and a property": {"properties": {"mmap.enabled": True, "my.note": "x"}},
    "a time to live": {"properties": {"collection.ttl.seconds": 3600}},
    "no properties": {"properties": None},
    "load off": {"load": {"enabled": False}},
    "two replicas": {"load": {"replicas": 2}},
    "load on": {"load": None},
    "a field more": {"fields": [*fields(), NOTE]},
    "a longer text": {"fields": [fields()[0], LONGER, fields()[2]]},
    "the manual's fields": {"fields": None, "embedding": None},
    "partitions": {"partitions": ["old", "young"]},
    "one partition": {"partitions": ["old"]},
    "no partitions": {"partitions": None},
    "an alias": {"aliases": ["current"]},
    "two aliases": {"aliases": ["current", "latest"]},
    "no aliases": {"aliases": None},
    "metric L2": {"indexes": [{**AUTO, "metric": "L2"}]},
    "the manual's index": {"indexes": None},
    "index of the text": {"indexes": [AUTO, {"field": "document", "type": "INVERTED"}]},
    "another dim": {
        "fields": [*fields()[:2], SMALL],
        "embedding": {"dashscope": {"model": "text-embedding-v3", "dim": 512}},
    },
    "another label": {
        "embedding": {
            "dashscope": {
                "model": "text-embedding-v3",
                "credentialRef": {"name": "apikey-prod", "namespace": "milvus"},
            }
        }
    },
    "dynamic": {"enableDynamicField": True},
    "not dynamic": {"enableDynamicField": None},
    "Strong": {"consistencyLevel": "Strong"},
    "default consistency": {"consistencyLevel": None},
    "Delete": {"deletionPolicy": "Delete", "adoptionPolicy": "IfMatching"},
    "DeleteIfEmpty": {"deletionPolicy": "DeleteIfEmpty", "adoptionPolicy": "Never"},
    "Retain": {"deletionPolicy": None},
    "Observe": {"deletionPolicy": None, "adoptionPolicy": "Observe"},
    "IfMatching": {"adoptionPolicy": None},
    "Never adopts": {"adoptionPolicy": "Never"},
    "drift Report": {"driftPolicy": "Report"},
    "drift Ignore": {"driftPolicy": "Ignore"},
    "drift Enforce": {"driftPolicy": None},
    "everything Manual": {"changePolicy": {"inPlace": "Manual", "destructive": "Manual"}},
    "disruptive Automatic": {"changePolicy": {"disruptive": "Automatic", "destructive": "Manual"}},
    "default policy": {"changePolicy": None},
    "nothing": {"changePolicy": {"inPlace": "Never", "disruptive": "Never", "destructive": "Never"}},
    "paused": {"paused": True},
    "not paused": {"paused": None},
}
for _sentence, _changes in EDITS.items():
    _spec(DOCS, _sentence, **_changes)
for _sentence in ("applied", "Delete", "Observe", "IfMatching", "an alias", "described", "load off"):
    for _key in (TWIN, NEWS):
        _spec(_key, _sentence, **EDITS[_sentence])
for _key in COLLECTIONS:
    MOVES[f"{_key.name}: approved"] = lambda walk, key=_key: walk.approve(key)  # type: ignore[misc]
    MOVES[f"{_key.name}: deleted"] = lambda walk, key=_key: walk.delete(key)  # type: ignore[misc]
    MOVES[f"{_key.name}: status lost"] = lambda walk, key=_key: walk.lose(key)  # type: ignore[misc]
for _key, _to in ((DOCS, "search/twin"), (DOCS, "search/typo"), (DOCS, "twin"), (TWIN, "search/docs")):
    MOVES[f"{_key.name}: released to {_to}"] = lambda walk, key=_key, to=_to: walk.annotate(key, RELEASE_TO, to)  # type: ignore[misc]


def _approved_in_the_spec(walk: Walk) -> None:
    if hash_ := walk.plan_hash(DOCS):
        walk.declare(DOCS, changePolicy={"destructive": "Manual", "approvedPlan": hash_})


def _deletes_adopted(walk: Walk) -> None:
    if stored := walk.milvus.databases["default"].collections.get("docs"):
        walk.annotate(DOCS, DELETE_ADOPTED, stored.id)


def _reachable(walk: Walk) -> None:
    for server in walk.servers.values():
        server.unreachable = False
    # The heartbeat looks in real time.
    walk.restart()


for _key in (DOCS, TWIN):
    MOVES[f"{_key.name}: not released"] = lambda walk, key=_key: walk.annotate(key, RELEASE_TO, None)  # type: ignore[misc]
    MOVES[f"{_key.name}: approval removed"] = lambda walk, key=_key: walk.annotate(key, APPROVED_PLAN, None)  # type: ignore[misc]
    MOVES[f"{_key.name}: force-release"] = lambda walk, key=_key: walk.annotate(key, FORCE_RELEASE, "true")  # type: ignore[misc]
MOVES |= {
    "docs: approved in the spec": _approved_in_the_spec,
    "docs: delete-adopted": _deletes_adopted,
    "connection elsewhere": lambda walk: walk.connect(uri=THERE),
    "connection here": lambda walk: walk.connect(uri=HERE),
    "connection paused": lambda walk: walk.connect(paused=True),
    "connection not paused": lambda walk: walk.connect(paused=None),
    "adoption allowed": lambda walk: walk.connect(allowedAdoption={"from": "All"}),
    "adoption not allowed": lambda walk: walk.connect(allowedAdoption=None),
    "grant withdrawn": lambda walk: walk.connect(allowedNamespaces={"from": "Same"}),
    "grant": lambda walk: walk.connect(allowedNamespaces={"from": "Names", "names": ["search"]}),
    "connection deleted": lambda walk: walk.delete(CONNECTION),
    "connection applied": lambda walk: walk.connect(),
    "unreachable": lambda walk: setattr(walk.milvus, "unreachable", True),
    "reachable": _reachable,
    "restart": lambda walk: walk.restart(),
    "status write lost": lambda walk: setattr(walk, "lose_status", True),
}


def _by_hand(sentence: str, name: str, act: Hand) -> None:
    def move(walk: Walk) -> None:
        stored = walk.milvus.databases["default"].collections.get(name)
        if stored is not None:
            act(walk, stored)

    MOVES[f"by hand {name}: {sentence}"] = move


def _properties(stored: StoredCollection, **values: str | None) -> None:
    properties = {k: v for k, v in {**stored.schema.properties, **values}.items() if v is not None}
    stored.schema = dataclasses.replace(stored.schema, properties=properties)


def _bare(walk: Walk, stored: StoredCollection) -> None:
    properties = {k: v for k, v in stored.schema.properties.items() if not k.startswith("embedding.")}
    stored.schema = dataclasses.replace(stored.schema, properties=properties)


def _release(walk: Walk, stored: StoredCollection) -> None:
    stored.load, stored.replicas = LoadState.NOT_LOADED, 0
    stored.released_partitions.clear()


def _load(walk: Walk, stored: StoredCollection) -> None:
    if stored.indexes:
        stored.load, stored.replicas = LoadState.LOADED, 1


def _rename(walk: Walk, stored: StoredCollection, old: str, new: str) -> None:
    database = walk.milvus.databases["default"]
    if new not in database.collections and new not in database.aliases:
        database.collections[new] = database.collections.pop(old)
        database.aliases = {a: new if t == old else t for a, t in database.aliases.items()}


def _alias(walk: Walk, alias: str, to: str | None) -> None:
    database = walk.milvus.databases["default"]
    database.aliases.pop(alias, None)
    if to in database.collections and alias not in database.collections:
        database.aliases[alias] = to


def _described(walk: Walk, stored: StoredCollection) -> None:
    stored.schema = dataclasses.replace(stored.schema, description="by hand")


def _without_functions(walk: Walk, stored: StoredCollection) -> None:
    stored.schema = dataclasses.replace(stored.schema, functions=())


def _recreated(name: str, owner_: str | None) -> Hand:
    def act(walk: Walk, stored: StoredCollection) -> None:
        walk.milvus.drop(name)
        walk.milvus.add_collection(name, the_manuals(owner=owner_))

    return act


def _dropped(name: str) -> Hand:
    return lambda walk, stored: walk.milvus.drop(name)


def _marked(**values: str | None) -> Hand:
    return lambda walk, stored: _properties(stored, **values)


def _behind_an_alias(walk: Walk, stored: StoredCollection) -> None:
    _rename(walk, stored, "docs", "away")
    _alias(walk, "docs", "away")


def _partition_dropped(walk: Walk, stored: StoredCollection) -> None:
    stored.partitions = [name for name in stored.partitions if name != "old"]


def _partition_made(walk: Walk, stored: StoredCollection) -> None:
    stored.partitions = [name for name in stored.partitions if name != "hand"] + ["hand"]


def _partition_released(walk: Walk, stored: StoredCollection) -> None:
    if stored.load is LoadState.LOADED and len(stored.partitions) > 1:
        stored.released_partitions.add("_default")


def _index_dropped(walk: Walk, stored: StoredCollection) -> None:
    _release(walk, stored)
    stored.indexes.clear()


for _name in ("docs", "news"):
    _by_hand("released", _name, _release)
    _by_hand("loaded", _name, _load)
    _by_hand("dropped", _name, _dropped(_name))
    _by_hand("described", _name, _described)
    _by_hand("stamp of others", _name, _marked(**{OWNER: STRANGER}))
    _by_hand("bare", _name, _bare)
    _by_hand("recreated", _name, _recreated(_name, None))
_by_hand("recreated by others", "docs", _recreated("docs", STRANGER))
_by_hand("renamed", "docs", lambda walk, stored: _rename(walk, stored, "docs", "away"))
_by_hand("renamed back", "away", lambda walk, stored: _rename(walk, stored, "away", "docs"))
_by_hand("behind an alias", "docs", _behind_an_alias)
_by_hand("ours again", "docs", _marked(**{OWNER: owner(DOCS)}))
_by_hand("the twin's", "docs", _marked(**{OWNER: owner(TWIN)}))
_by_hand("a property", "docs", _marked(**{"my.note": "hand"}))
_by_hand("no record", "docs", _marked(**{RECORD: None}))
_by_hand("no applied plan", "docs", _marked(**{APPLIED: None}))
_by_hand("a partition less", "docs", _partition_dropped)
_by_hand("a partition more", "docs", _partition_made)
_by_hand("a partition released", "docs", _partition_released)
_by_hand("index dropped", "docs", _index_dropped)
_by_hand("function dropped", "docs", _without_functions)
_by_hand("rows", "docs", lambda walk, stored: stored.rows.update(_default=7))
MOVES |= {
    "by hand: current to news": lambda walk: _alias(walk, "current", "news"),
    "by hand: current to docs": lambda walk: _alias(walk, "current", "docs"),
    "by hand: another alias on docs": lambda walk: _alias(walk, "mine", "docs"),
    "by hand: no current": lambda walk: _alias(walk, "current", None),
    "by hand: docs made": lambda walk: (
        walk.milvus.databases["default"].collections.get("docs")
        or walk.milvus.databases["default"].aliases.get("docs")
        or walk.milvus.add_collection("docs", the_manuals())
    ),
}


def _disturbed(what: str, at: int) -> Move:
    def move(walk: Walk) -> None:
        walk.milvus.number = 0
        walk.milvus.disturbance = DISTURBANCES[what](at)

    return move


for _what in DISTURBANCES:
    for _at in (0, 1, 2, 3, 4, 5, 7, 9, 12, 15):
        MOVES[f"{_what} at {_at}"] = _disturbed(_what, _at)


async def _round(walk: Walk) -> None:
    await walk.round()
    for server in walk.servers.values():
        if server._late:
            await walk.round()
        await server.settle()


def _after(seconds: float) -> Move:
    return lambda walk: walk.bench.clock.advance(seconds)


def _intruding(number: int, move: Move) -> Move:
    def prepare(walk: Walk) -> None:
        walk.intruder, walk.describes_left = move, number

    return prepare


for _sentence in [name for name in MOVES if name.startswith("by hand")]:
    for _number in (1, 2, 3, 5):
        MOVES[f"before describe {_number}, {_sentence}"] = _intruding(_number, MOVES[_sentence])


async def _settled(walk: Walk) -> None:
    await walk.settle()


MOVES |= {
    "round": _round,
    "settled": _settled,
    "made good": lambda walk: walk.made_good(),
    "2 s": _after(2),
    "10 min": _after(600),
    "1 h": _after(3600),
}


async def play(walk: Walk, moves: Iterable[str]) -> None:
    for move in moves:
        done = MOVES[move](walk)
        if inspect.isawaitable(done):
            await done
