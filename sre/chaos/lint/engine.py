"""Chaos Toolkit's own word on a file that we find good, so that what the lint accepts is what `chaos run` accepts."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sre.chaos.lint.model import Checked, Finding


def ask_the_engine(checked: Checked) -> Checked:
    """With what `chaos validate` would refuse added. Files that we refuse are not asked about: it stops at the first
    fault, and does not always end with a refusal.
    """
    if checked.errors:
        return checked
    refusal = engine_refusal(checked)
    if refusal is None:
        return checked
    text = f"{checked.path}: Chaos Toolkit refuses it ({refusal}): see `chaos validate`"
    return replace(checked, drill=None, findings=(Finding(str(checked.path), 0, "error", text), *checked.findings))


def engine_refusal(checked: Checked) -> str | None:
    """Why `chaos validate` refuses the file, or `chaos run` could not write it into its journal, in one line; None when
    all is well.
    """
    from chaoslib.experiment import ensure_experiment_is_valid
    from chaoslib.loader import parse_experiment_from_file
    from chaostoolkit import encoder

    try:
        with _quiet():
            experiment = parse_experiment_from_file(str(checked.path))
            ensure_experiment_is_valid(experiment)
            json.dumps(experiment, default=encoder)
    except Exception as error:  # noqa: BLE001  (it raises all there is on bad input; each is a refusal)
        said = str(error).strip().splitlines()
        return said[0] if said else type(error).__name__
    return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its log, which goes to the terminal, and its deprecations, of which we say what matters ourselves."""
    logger = logging.getLogger("chaostoolkit")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before
