"""What is written reads back equal; whatever is read, equal or not, ends in documents or in BadDocument."""

import os
import random
import string
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre.errors import BadDocument
from sre.metrics.model import Matcher, Selector
from sre.slo.openslo import load_documents, resolve, write_documents
from sre.slo.openslo.loading import gather
from sre.slo.openslo.model import (
    AlertCondition,
    AlertPolicy,
    Calendar,
    DataSource,
    Duration,
    Metadata,
    Metric,
    NotificationTarget,
    Objective,
    RatioMetric,
    RawMetric,
    Ref,
    Service,
    Sli,
    SloDocument,
    ThresholdMetric,
    TimeWindow,
)

EXAMPLES = Path(__file__).parent / "examples"
SHIPPED = Path(__file__).parents[4] / "slo"

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).map(str.strip).filter(bool)
maybe_words = st.just("") | words
keys = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,10}[a-zA-Z0-9])?", fullmatch=True)
labels = st.dictionaries(keys, words | st.lists(words, max_size=3).map(tuple), max_size=3)
annotations = st.dictionaries(keys.map(lambda key: f"example.com/{key}"), words, max_size=3)
regexes = st.sampled_from(["5..", "a|b", r"\d+", ".*"])
matchers = st.builds(
    Matcher, st.sampled_from(["code", "job"]), st.sampled_from(["=", "!="]), st.text(max_size=20)
) | st.builds(Matcher, st.just("code"), st.sampled_from(["=~", "!~"]), regexes)
selectors = st.lists(
    st.builds(Selector, st.sampled_from(["req", "vllm:e2e_count"]), st.lists(matchers, max_size=2).map(tuple)),
    min_size=1,
    max_size=2,
).map(tuple)
targets = st.floats(0.0001, 0.9999999)


NOTHING = st.just({})


def metadata(own=NOTHING):
    return st.builds(
        lambda name, title, tags, other, ours: Metadata(
            name, title, tuple(sorted(tags.items())), tuple(sorted((other | ours).items()))
        ),
        names,
        maybe_words,
        labels,
        annotations,
        own,
    )


@st.composite
def folders(draw):
    """A set of documents without faults: every reference leads somewhere, names are unique within a kind."""

    def some(build, most):
        found = {document.metadata.name: document for document in draw(st.lists(build, max_size=most))}
        return list(found.values())

    def part(known, inline):
        refs = [st.sampled_from([Ref(document.metadata.name) for document in known])] if known else []
        return st.one_of(*refs, inline)

    connection = st.sampled_from(["{}", "null", '{"a": [1, 2.5, "x"], "b": {"c": null}}'])
    sources = some(
        st.builds(DataSource, metadata(), st.sampled_from(["Prometheus", "prometheus"]), connection, maybe_words), 2
    )
    metric = st.builds(Metric, selectors)
    if sources:
        by_ref = st.builds(Metric, selectors, st.sampled_from(["", "Prometheus"]), part(sources, st.nothing()))
        metric = metric | by_ref
    counted = st.builds(RatioMetric, total=metric, good=metric, counter=st.booleans()) | st.builds(
        RatioMetric, total=metric, bad=metric, counter=st.booleans()
    )
    ratio = counted | st.builds(RawMetric, metric, st.booleans())
    ratio_slis = some(st.builds(Sli, metadata(), ratio, maybe_words), 2)
    target = st.builds(NotificationTarget, metadata(), words, maybe_words)
    notified = some(target, 2)
    condition_notes = st.fixed_dictionaries(
        {}, optional={"sre/short-window": st.just("1m"), "sre/min-bad-events": st.just("3")}
    )
    condition = st.builds(
        AlertCondition,
        metadata(condition_notes),
        words,
        st.floats(0.1, 1000),
        st.sampled_from([Duration(1, "h"), Duration(30, "m"), Duration(1, "d")]),
        st.none() | st.sampled_from([Duration(0, "m"), Duration(2, "m")]),
        maybe_words,
    )
    conditions = some(condition, 2)
    policy = st.builds(
        AlertPolicy,
        metadata(),
        part(conditions, condition),
        st.lists(part(notified, target), min_size=1, max_size=2).map(tuple),
        st.booleans(),
        st.booleans(),
        maybe_words,
    )
    policies = some(policy, 2)
    services = some(st.builds(Service, metadata(), maybe_words), 2)
    slo = slo_documents(part(ratio_slis, st.builds(Sli, st.none() | metadata(), ratio, maybe_words)), metric, services)
    slos = []
    for document in some(slo, 3):
        chosen = {
            p.name if isinstance(p, Ref) else p.metadata.name: p
            for p in draw(st.lists(part(policies, policy), max_size=2))
        }
        slos.append(with_policies(document, tuple(chosen.values())))
    return gather([*services, *sources, *notified, *conditions, *policies, *ratio_slis, *unclashing(slos)])


@st.composite
def slo_documents(draw, indicator, metric, services):
    method = draw(st.sampled_from(["Occurrences", "Timeslices", "RatioTimeslices"]))
    slices = {}
    if method != "Occurrences":
        slices["slice_window"] = st.builds(Duration, st.integers(1, 9), st.sampled_from(["m", "h"]))
    if method == "Timeslices":
        slices["slice_target"] = st.floats(0.01, 1)
    objective = st.builds(Objective, target=targets, display_name=maybe_words, **slices)
    rolling = st.builds(TimeWindow, st.builds(Duration, st.integers(3, 90), st.just("d")))
    start = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)).map(lambda t: t.replace(microsecond=0))  # noqa: DTZ001
    calendar = st.builds(Calendar, start, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))
    aligned = st.builds(
        TimeWindow, st.builds(Duration, st.integers(1, 3), st.sampled_from(["w", "M", "Q", "Y"])), calendar
    )
    notes = st.fixed_dictionaries({}, optional={"sre/runbook": words, "sre/budget-usd": st.just("12.50")})
    kind = draw(st.sampled_from(["above", "threshold", "below"]))
    many = st.lists(objective, min_size=1, max_size=3).map(tuple)
    above = draw(indicator)
    objectives = draw(many)
    if kind == "threshold":
        above = Sli(None, ThresholdMetric(draw(metric)))
        value = draw(st.floats(-1e9, 1e9))
        objectives = tuple(
            replace_with(o, op=draw(st.sampled_from(["lte", "gt"])), value=value) for o in objectives[:1]
        )
    if kind == "below":
        above = None
        objectives = tuple(replace_with(o, indicator=draw(indicator)) for o in objectives)
    return SloDocument(
        metadata=draw(metadata(notes)),
        service=draw(st.sampled_from([s.metadata.name for s in services])) if services else draw(words),
        indicator=above,
        window=draw(rolling | aligned),
        objectives=objectives,
        method=method,
        description=draw(maybe_words),
    )


def replace_with(document, **changes):
    return replace(document, **changes)


def with_policies(document, policies):
    return replace_with(document, alert_policies=policies)


def unclashing(slos):
    """Names that leave room for numbers and are no number of another SLO."""
    return [replace_with(s, metadata=replace_with(s.metadata, name=f"s{n}-x")) for n, s in enumerate(slos)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(folders())
def test_what_is_written_reads_back_equal(tmp_path_factory, documents):
    text = write_documents(documents)
    path = tmp_path_factory.mktemp("round") / "all.yaml"
    path.write_text(text, encoding="utf-8")
    if len(documents):
        read = load_documents([path])
        assert read == documents
        assert write_documents(read) == text
        assert len(resolve(read)) == sum(len(slo.objectives) for slo in documents.slos)


def test_the_form_written_is_kept(request):
    golden = Path(__file__).parent / "golden" / "references.yaml"
    text = write_documents(load_documents([EXAMPLES / "references.yaml"]))
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", sorted({*EXAMPLES.glob("*.yaml"), *SHIPPED.rglob("*.yaml")}), ids=lambda path: path.stem
)
def test_documents_written_again_say_the_same(path, tmp_path):
    if "generated" in path.parts:
        pytest.skip("generated rules are no OpenSLO")
    before = load_documents([path])
    (tmp_path / "again.yaml").write_text(write_documents(before), encoding="utf-8")
    assert load_documents([tmp_path / "again.yaml"]) == before


def loaded(path):
    """Documents, or None and faults of one line each; anything else is what these tests look for."""
    faults = ["never read"]
    try:
        return resolve(load_documents([path]))
    except BadDocument as error:
        faults = error.faults
    assert faults
    assert all(fault.isprintable() for fault in faults), faults
    return None


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_no_bytes_end_in_a_traceback(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "a.yaml"
    path.write_bytes(content)
    loaded(path)


PIECES = (
    *("*x", "&x ", "<<: *x", "!!int x", "!!int ''", "!!float -", "!!binary x", "!!binary aGk=", "!!set {a}", "!!map x"),
    *("!!timestamp x", "!!python/object:os.system x", "!!bool maybe", "!!null x", "!!omap [a: 1]", "? [a, b]"),
    *('"\\ud800"', '"\\U00110000"', '"\\x00"', '"\\u2028"', "0x" + "f" * 9000, "1:2:3", ".inf", ".nan", "-.inf", "~"),
    *(
        "[]",
        "{}",
        "2026-01-01",
        "|",
        ">-",
        "- ",
        "{a: *x}",
        "&x [*x]",
        "%YAML 9.9",
        "%TAG ! x",
        "---",
        "...",
        "\t",
        "'",
    ),
    *('"', "x" * 2000, "sum(rate(req[5m]))", 'req{le="x"}', 'req{a=~"[[a]"}', 'req{a=~"x{99999999999}"}', "a/b"),
    *('req{a=~"' + "(" * 3000 + '"}', "histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m])))", "1e999", "0m", "5M"),
    *(
        "99999999999d",
        "Europe",
        "Etc/../UTC",
        "sre/runbook: 5",
        "a\\nb: 1",
        '"a\\nb": 1',
        "-1",
        "0",
        "true",
        "1.0e-320",
    ),
    *("? {a: b}", "+".join(["a"] * 50)),
)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(EXAMPLES.glob("*.yaml"))), st.integers(0, 2**32), st.integers(1, 4))
def test_no_mutation_of_a_document_ends_in_a_traceback(tmp_path_factory, example, seed, changes):
    chance = random.Random(seed)
    lines = example.read_text().splitlines()
    for _ in range(changes):
        mutate(lines, chance)
    path = tmp_path_factory.mktemp("mutant") / "a.yaml"
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    loaded(path)


def mutate(lines, chance):
    """One change such as a careless hand, or a clever one, makes."""
    at = chance.randrange(len(lines))
    line = lines[at]
    key, colon, _ = line.partition(":")
    match chance.randrange(6):
        case 0:
            lines[at] = f"{key}{colon} {chance.choice(PIECES)}"
        case 1:
            del lines[at : at + chance.randrange(1, 4)]
            lines.append("")
        case 2:
            lines.insert(at, line)
        case 3:
            lines[at] = " " * chance.randrange(6) + line.lstrip()
        case 4:
            lines.insert(at, f"{' ' * (len(line) - len(line.lstrip()))}{chance.choice(PIECES)}")
        case _:
            where = chance.randrange(len(line) + 1)
            lines[at] = line[:where] + chance.choice(string.printable) + line[where + chance.randrange(3) :]


def test_merges_of_merges_do_not_multiply(tmp_path):
    fields = ", ".join(f"k{n}: v" for n in range(50))
    layers = [f"&l0 {{{fields}}}"]
    for level in range(1, 9):
        layers.append(f"&l{level} {{<<: [{', '.join([f'*l{level - 1}'] * 9)}]}}")
    path = tmp_path / "bomb.yaml"
    path.write_text(f"a: {{<<: [{', '.join(layers)}]}}\n")
    assert loaded(path) is None


def test_a_file_without_end_is_cut_off():
    with pytest.raises(BadDocument, match=r"holds control characters|is longer than|cannot be read|not UTF-8"):
        load_documents([Path("/dev/zero")])


def test_a_name_that_no_file_can_have():
    with pytest.raises(BadDocument, match="cannot be read"):
        load_documents([Path("a\0b.yaml")])


def test_many_documents_in_one_file_are_no_bomb(tmp_path):
    one = (EXAMPLES / "timeslices.yaml").read_text()
    path = tmp_path / "many.yaml"
    path.write_text("---\n".join(one.replace("ttft-minutes", f"slo-{n}") for n in range(400)))
    assert len(load_documents([path])) == 400
