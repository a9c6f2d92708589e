"""PromQL in a document is refused with the selector that it should have been, where that can be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.metrics.selector import format_selector, parse_selector
from sre.slo.openslo.queries import refusal, split_at


@pytest.mark.parametrize(
    ("query", "bare"),
    [
        ("rate(req[5m])", "req"),
        ('sum(rate(req{code=~"5.."}[5m]))', 'req{code=~"5.."}'),
        ('sum(increase(req{code="500"}[{{.window}}]))', 'req{code="500"}'),
        ("sum by (job) (rate(req[$__rate_interval]))", "req"),
        ("sum(rate(req[5m])) by (job, instance)", "req"),
        ("sum without (pod) (irate(req[1m] offset 5m))", "req"),
        ("sum(req)", "req"),
        ("req[5m]", "req"),
        ('sum(rate(a{x="+"}[5m])) + sum(rate(b[5m]))', 'a{x="+"} + b'),
        (' sum (\n  rate ( vllm:e2e_count { model_name="m" } [ 5m ] )\n) ', 'vllm:e2e_count{model_name="m"}'),
    ],
)
def test_the_selector_inside_an_expression_is_offered(query, bare):
    told = refusal(query, "not a selector")
    assert told == (
        f"is a PromQL expression; windows and sums are computed from samples: write the bare selector, `{bare}`"
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('sum(rate(req{path="/a"}[5m])) / sum(rate(req[5m]))', "is a ratio: write its two sides apart"),
        (
            'histogram_quantile(0.99, sum by (le) (rate(lat_bucket{job="x"}[5m])))',
            'good is `lat_bucket{le="THRESHOLD",job="x"}`, total is `lat_count{job="x"}`',
        ),
        ("histogram_quantile(0.99, rate(lat[5m]))", "the problem"),
        ("abs(req)", "the problem"),
        ("sum(rate(req[5m])) - sum(rate(bad[5m]))", "the problem"),
        ("sum(rate(req[5m]", "the problem"),
        ("", "the problem"),
    ],
)
def test_where_no_selector_can_be_told_the_problem_is(query, said):
    assert said in refusal(query, "the problem")


labels = st.text(st.characters(exclude_categories=["Cs"]), max_size=15)


@given(
    value=labels,
    function=st.sampled_from(["rate", "increase", "irate"]),
    window=st.sampled_from(["5m", "1h", "{{.window}}", "$__range"]),
    around=st.sampled_from(["sum({})", "sum by (job) ({})", "sum({}) by (job)", "{}"]),
)
def test_any_label_value_survives(value, function, window, around):
    selector = format_selector(parse_selector('req{a="x"}')).replace('"x"', quoted(value))
    told = refusal(around.format(f"{function}({selector}[{window}])"), "the problem")
    assert told.endswith(f"`{format_selector(parse_selector(selector))}`")


def quoted(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@given(st.text(max_size=200))
def test_no_text_trips_it(text):
    assert refusal(text, "the problem")
    assert "+".join(split_at("+", text)) == text
