from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit.core.serving.evidence.voices import unusual


@pytest.mark.parametrize(
    ("bad", "requests", "rate", "found"),
    [
        (1, 1, 0.005, True),
        (1, 1, 0.5, True),
        (1, 6, 0.005, False),
        (2, 12, 0.005, True),
        (2, 100, 0.005, False),
        (4, 100, 0.005, True),
        (8, 100, 0.05, False),
        (14, 100, 0.05, True),
        (0, 100, 0.05, False),
    ],
)
def test_a_voice_goes_bad_by_more_bad_requests_than_the_champions_rate_explains(
    bad: int, requests: int, rate: float, found: bool
) -> None:
    assert unusual(bad, requests, rate) == found


@given(requests=st.integers(1, 500), rate=st.floats(0.0005, 0.5), data=st.data())
def test_more_bad_requests_never_make_a_voice_usual(requests: int, rate: float, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, requests - 1))
    assert unusual(bad + 1, requests, rate) or not unusual(bad, requests, rate)
