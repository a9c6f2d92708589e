"""Everything that OpenSLO documents generate, as text by relative path. Pure: same documents, same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre.errors import SreError
from sre.slo.model import Slo
from sre.slo.rules.alertmanager import alertmanager_text
from sre.slo.rules.build import rule_sets
from sre.slo.rules.grafana import dashboard_text
from sre.slo.rules.model import RuleOptions
from sre.slo.rules.promtool_tests import unit_tests
from sre.slo.rules.text import kubernetes_text, rules_text

RULES, TESTS = "prometheus", "promtool"


@dataclass(frozen=True, slots=True)
class Generated:
    """`files` maps a path below the output folder to its text; `notes` are what a person should know."""

    files: dict[str, str]
    notes: tuple[str, ...] = ()


def generate(slos: Sequence[Slo], options: RuleOptions) -> Generated:
    """Rules and tests by SLO; Kubernetes resources, Alertmanager's fragment and the dashboard over all.

    Raises BadDocument with a line for each SLO that cannot have rules, SreError without any SLO.
    """
    if not slos:
        raise SreError("no SLO to generate rules for: give OpenSLO documents of kind SLO")
    sets = rule_sets(slos, options)
    files: dict[str, str] = {}
    notes: list[str] = []
    for rules in sets:
        name = f"{rules.slo.name}.yaml"
        files[f"{RULES}/{name}"] = rules_text(rules, options)
        tests = unit_tests(rules, options, rules_file=f"../{RULES}/{name}")
        files |= {f"{TESTS}/{file}": text for file, text in tests.files.items()}
        notes += [*rules.notes, *tests.notes]
    files["kubernetes/prometheusrules.yaml"] = kubernetes_text(sets, options)
    files["alertmanager/slo.yaml"] = alertmanager_text(sets, options)
    files["grafana/slo.json"] = dashboard_text(sets, options)
    return Generated(files, tuple(notes))
