"""The words about a long build, and the estimate behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, RECIPES, Binary
from milvus_embedding.devkit.controlplane.progress import duration_text, estimates, plan_line, progress_line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0, "0 s", id="nothing yet"),
        pytest.param(45.4, "45 s", id="seconds are rounded"),
        pytest.param(59.6, "1 min", id="rounding reaches the minute"),
        pytest.param(90, "1 min 30 s", id="minutes and seconds"),
        pytest.param(300, "5 min", id="full minutes have no seconds"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_line_of_progress_says_how_long_so_far_and_in_all() -> None:
    line = progress_line(Binary.KUBE_APISERVER, elapsed=90, estimate=275, cores=2)

    assert line == "building kube-apiserver: 1 min 30 s of about 5 min on 2 cores"


def test_an_estimate_that_was_too_low_is_admitted() -> None:
    line = progress_line(Binary.ETCD, elapsed=61, estimate=45, cores=1)

    assert line == "building etcd: 1 min 1 s, longer than the 50 s expected on 1 core"


def test_the_plan_names_all_programs_and_the_whole_time() -> None:
    estimate = estimates(DEFAULT_SET, cores=2)

    assert plan_line(estimate, cores=2) == (
        "building etcd, kube-apiserver, kubectl from source, once: about 6 min on 2 cores"
    )


def test_the_second_program_of_a_module_costs_less() -> None:
    both = estimates([Binary.KUBECTL, Binary.KUBE_APISERVER], cores=2)

    assert both == {
        Binary.KUBE_APISERVER: RECIPES[Binary.KUBE_APISERVER].cold_seconds,
        Binary.KUBECTL: RECIPES[Binary.KUBECTL].warm_seconds,
    }


@given(binaries=st.sets(st.sampled_from(list(Binary)), min_size=1), cores=st.integers(min_value=0, max_value=512))
def test_more_cores_never_make_an_estimate_longer(binaries: set[Binary], cores: int) -> None:
    fewer, more = estimates(binaries, cores=cores), estimates(binaries, cores=cores + 1)

    assert set(fewer) == binaries
    assert all(0 < more[binary] <= fewer[binary] for binary in binaries)


@given(seconds=st.floats(min_value=0, max_value=1e6))
def test_a_duration_never_shows_sixty_seconds(seconds: float) -> None:
    assert "60 s" not in duration_text(seconds)
