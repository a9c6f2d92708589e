"""Prometheus rules, their promtool tests, Alertmanager's inhibitions and a dashboard, all from OpenSLO documents."""

from sre.slo.rules.generate import Generated, generate
from sre.slo.rules.model import RuleOptions

__all__ = ["Generated", "RuleOptions", "generate"]
