"""Metric families that exporters expose, as data: what a lint or an alias needs to know before anything runs."""

from sre.metrics.catalogue.aliases import AliasedSamples
from sre.metrics.catalogue.lookup import Catalogue
from sre.metrics.catalogue.model import Failures, Label, Metric, MetricType

__all__ = ["AliasedSamples", "Catalogue", "Failures", "Label", "Metric", "MetricType"]
