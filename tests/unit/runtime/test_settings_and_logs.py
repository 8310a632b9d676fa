"""Settings from options and environment; log lines without secrets."""

import io
import json
import logging
import re

import pytest

from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.logs import Occasional, ScrubbingFormatter
from milvus_embedding.runtime.settings import SettingError, Settings, documentation, from_environment

SECRET = "sk-0123456789abcdef"


def test_defaults_serve_all_namespaces() -> None:
    settings = from_environment({})
    assert settings.clusterwide
    assert settings.scopes == (None,)


def test_the_environment_is_read_and_an_option_wins() -> None:
    environment = {
        "MILVUS_EMBEDDING_NAMESPACES": "b, a",
        "MILVUS_EMBEDDING_OWNER": "me",
        "MILVUS_EMBEDDING_RESYNC_SECONDS": "30",
        "MILVUS_EMBEDDING_LEADER_ELECTION": "false",
    }
    settings = from_environment(environment, {"resync_seconds": 40.0, "owner": None})
    assert (settings.scopes, settings.owner, settings.leader_election) == (("a", "b"), "me", False)
    assert settings.resync_seconds == 40


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        pytest.param({"RESYNC_SECONDS": "soon"}, "MILVUS_EMBEDDING_RESYNC_SECONDS is 'soon'", id="no number"),
        pytest.param({"LEADER_ELECTION": "perhaps"}, "it has to be true or false", id="neither true nor false"),
        pytest.param({"WORKERS": "0"}, "workers is 0; it has to be more than 0", id="not positive"),
        pytest.param({"LEASE_DURATION": "5"}, "less than lease_duration", id="lease shorter than its deadline"),
        pytest.param(
            {"LEASE_DURATION": "4", "LEASE_RENEW_DEADLINE": "3", "LEASE_RETRY_PERIOD": "1"},
            "lease_duration (4.0) has to be more than lease_retry_period (1.0) plus 3",
            id="lease shorter than an act",
        ),
        pytest.param({"LOG_FORMAT": "xml"}, "it has to be json or console", id="unknown log format"),
        pytest.param({"ALLOW_ENDPOINT": "*.svc,https://a"}, "allow_endpoint has 'https://a'", id="a URL for a host"),
        pytest.param({"NAMESPACES": "a"}, "owner is not set", id="namespaces without owner"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(environment: dict[str, str], text: str) -> None:
    with pytest.raises(SettingError, match=re.escape(text)):
        from_environment({f"MILVUS_EMBEDDING_{name}": value for name, value in environment.items()})


def test_every_setting_is_documented() -> None:
    documented = {name: text for name, _, _, text in documentation()}
    assert set(documented) == set(Settings.__dataclass_fields__)
    assert all(documented.values())


def log_line(*, as_json: bool, raises: bool = False) -> str:
    scrubber = Scrubber()
    scrubber.learn(SECRET)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ScrubbingFormatter(scrubber, as_json=as_json))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        if raises:
            raise ValueError(f"refused {SECRET}")
        logger.info("said %s", SECRET, extra={"key": f"x {SECRET}"})
    except ValueError:
        logger.exception("failed", extra={"key": "x"})
    return stream.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("raises", [True, False])
def test_no_line_has_a_secret_in_message_extras_or_traceback(as_json: bool, raises: bool) -> None:
    line = log_line(as_json=as_json, raises=raises)
    assert SECRET not in line
    assert "***" in line


def test_a_json_line_is_one_line_of_json() -> None:
    line = log_line(as_json=True, raises=True)
    assert line.count("\n") == 1
    parsed = json.loads(line)
    assert (parsed["level"], parsed["message"], parsed["key"]) == ("error", "failed", "x")
    assert "ValueError" in parsed["exception"]


def test_retries_that_all_say_the_same_are_told_now_and_then_and_as_warnings() -> None:
    now = 0.0
    occasional = Occasional(30, lambda: now)
    seen = []
    for now in (0.0, 1.0, 29.0, 30.0, 31.0):
        record = logging.LogRecord("kopf", logging.ERROR, "", 0, "attempt failed", None, None)
        if occasional.filter(record):
            seen.append((now, record.levelname))
    assert seen == [(0.0, "WARNING"), (30.0, "WARNING")]


def test_a_traceback_shows_no_values_of_variables() -> None:
    """Also not of a key that nobody told the scrubber."""
    unknown = "sk-" + "fedcba9876543210"
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ScrubbingFormatter(Scrubber(), as_json=True))
    logger = logging.Logger("test", logging.DEBUG)
    logger.addHandler(handler)

    def refuse(value: str) -> None:
        raise ValueError("refused")

    try:
        refuse(unknown)
    except ValueError:
        logger.debug("failed", exc_info=True)
    assert "refused" in stream.getvalue()
    assert unknown not in stream.getvalue()
