"""`sre/also-good`: indicators that the same requests must meet, by name, and what is told of names that do not do."""

import re

import pytest

from sre.errors import BadDocument
from sre.metrics.selector import parse_sum
from sre.slo.model import JointSli, RatioSli
from sre.slo.openslo import load_documents, resolve, write_documents


def metric(query):
    return f"{{metricSource: {{type: Prometheus, spec: {{query: '{query}'}}}}}}"


def ratio(name, *, counter="true"):
    return f"ratioMetric: {{counter: {counter}, good: {metric(f'{name}_ok')}, total: {metric(f'{name}_all')}}}"


def sli(name, measure=None):
    return f"apiVersion: openslo/v1\nkind: SLI\nmetadata: {{name: {name}}}\nspec: {{{measure or ratio(name)}}}\n"


def slo(name, also=None, *, measure=None, indicator=None, method="Occurrences", extra=""):
    annotations = f"\n  annotations:\n    sre/also-good: {also}" if also is not None else ""
    own = indicator or f"indicator: {{spec: {{{measure or ratio(name)}}}}}"
    return (
        f"apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: {name}{annotations}\nspec:\n  service: x\n  {own}\n"
        f"  timeWindow: [{{duration: 28d, isRolling: true}}]\n  budgetingMethod: {method}\n"
        f"  objectives: [{{target: 0.95{extra}}}]\n"
    )


SLICES = {"method": "Timeslices", "extra": ", timeSliceTarget: 0.9, timeSliceWindow: 5m"}
GAUGE = f"thresholdMetric: {metric('waiting')}"


@pytest.fixture
def load(tmp_path):
    def loaded(*texts):
        path = tmp_path / "a.yaml"
        path.write_text("---\n".join(texts))
        return load_documents([path])

    return loaded


@pytest.fixture
def faults(load, tmp_path):
    def told(*texts):
        with pytest.raises(BadDocument) as caught:
            load(*texts)
        return [fault.replace(f"{tmp_path}/", "") for fault in caught.value.faults]

    return told


def of(*names):
    found = tuple(RatioSli(parse_sum(f"{name}_all"), good=parse_sum(f"{name}_ok")) for name in names)
    return JointSli(found) if len(found) > 1 else found[0]


def slis(documents):
    return {one.name: one.sli for one in resolve(documents)}


def test_slis_and_slos_are_meant_by_their_names_the_own_indicator_first(load):
    documents = load(slo("goodput", "fast, done"), sli("fast"), slo("done"))
    assert slis(documents) == {"goodput": of("goodput", "fast", "done"), "done": of("done")}


def test_an_sli_document_is_meant_before_an_slo_of_its_name(load):
    documents = load(slo("goodput", "goodput"), sli("goodput", ratio("other")))
    assert slis(documents) == {"goodput": of("goodput", "other")}


def test_an_slo_brings_what_it_names_itself_and_each_indicator_counts_once(load):
    documents = load(slo("all", "goodput, fast"), slo("goodput", "fast, done"), sli("fast"), slo("done"))
    assert slis(documents)["all"] == of("all", "goodput", "fast", "done")


def test_every_objective_has_the_criteria(load):
    two = slo("goodput", "fast").replace("{target: 0.95}", "{target: 0.95}, {target: 0.9}")
    documents = load(two, sli("fast"))
    assert slis(documents) == {f"goodput-{n}": of("goodput", "fast") for n in (1, 2)}


def test_written_documents_read_back_equal(load, tmp_path):
    documents = load(slo("goodput", "fast, done"), sli("fast"), slo("done"))
    (tmp_path / "a.yaml").write_text(write_documents(documents))
    again = load_documents([tmp_path / "a.yaml"])
    assert again == documents
    assert slis(again) == slis(documents)


ANNOTATION = r"^a.yaml:6: metadata.annotations.sre/also-good: "


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ([slo("g", "fats"), sli("fast")], r"no SLI or SLO is named 'fats': did you mean `fast` \(a.yaml:\d+\)\?"),
        ([slo("a", "goodput")], r"no SLI or SLO is named 'goodput': add it, or give the file with the SLI or"),
        ([slo("g", "x"), "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: x}\n"], r"`x` is a Service \(a.yaml"),
        ([slo("g", "g")], r"`g` is this SLO itself: remove it"),
        ([slo("g", "w"), sli("w", GAUGE)], r"`w` is a thresholdMetric \(a.yaml:\d+\): only ratioMetrics with `counter"),
        ([slo("g", "w"), sli("w", ratio("w", counter="false"))], r"`w` is a ratioMetric with `counter: false`"),
        (
            [slo("g", "w"), sli("w", f"ratioMetric: {{rawType: failure, raw: {metric('r')}}}")],
            r"`w` is a raw ratio \(a.yaml:\d+\)",
        ),
        ([slo("g", "w"), sli("w", ratio("g"))], r"`w` adds no criterion to those before it: remove it"),
        ([slo("g", "s"), slo("s", **SLICES)], r"`s` \(a.yaml:\d+\) is budgeted by Timeslices, which judges time: name"),
        ([slo("g", "f", **SLICES), sli("f")], r"belongs to Occurrences, Timeslices judges time: remove it"),
        (
            [slo("g", "f", measure=GAUGE, extra=", op: lte, value: 1"), sli("f")],
            r"the SLO's own indicator is a thresholdMetric",
        ),
        (
            [slo("g", "s"), slo("s", indicator="description: x", extra=f", indicator: {{spec: {{{ratio('s')}}}}}")],
            r"`s` \(a.yaml:\d+\) has an indicator in each objective: name one of their SLIs",
        ),
        ([slo("g", '"f,,f"'), sli("f")], r"is 'f,,f': name each further SLI or SLO once"),
        ([slo("g", '"f, f"'), sli("f")], r"is 'f, f': name each further SLI or SLO once"),
    ],
    ids=lambda value: None if isinstance(value, list) else value[:30],
)
def test_names_that_do_not_do_are_told_with_their_mend(faults, documents, told):
    found = faults(*documents)
    assert len(found) == 1
    assert re.search(ANNOTATION + told, found[0]), found


def test_a_cycle_is_told_at_each_slo_in_it(faults):
    found = faults(slo("a", "b"), slo("b", "c"), slo("c", "a"), slo("outside", "a"))
    assert len(found) == 3
    assert "leads back to this SLO, a > b > c > a: remove one of these steps" in found[0]
    assert "leads back to this SLO, b > c > a > b" in found[1]


def test_a_name_whose_document_has_faults_of_its_own_is_not_told_as_missing(faults):
    found = faults(slo("g", "f"), sli("f", "ratioMetric: {counter: true}"), slo("s", indicator="indicatorRef: no"))
    assert not any("also-good" in fault for fault in found)


def test_long_chains_with_many_paths_are_followed(load):
    """Each SLO names the next two: there are more paths than could be walked."""
    count = 150
    chain = [slo(f"s{i}", f"s{i + 1}, s{i + 2}") for i in range(count - 2)]
    first, *_ = resolve(load(*chain, slo(f"s{count - 2}"), slo(f"s{count - 1}")))
    assert len(first.sli.slis) == count
