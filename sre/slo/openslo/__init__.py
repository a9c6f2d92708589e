"""OpenSLO v1 documents, read, written and resolved to `Slo`. What this kit cannot evaluate is refused, not ignored.

`docs/slo.md` lists what is refused and why. Selectors take the place of queries, so that one document is evaluated from
any source of samples, and annotations under `sre/` say what v1 cannot.
"""

from sre.slo.openslo.loading import load_documents, load_slos, read_slos
from sre.slo.openslo.model import Documents
from sre.slo.openslo.policies import ResolvedPolicy
from sre.slo.openslo.resolving import objective_names, policies_by_slo, resolve
from sre.slo.openslo.writing import write_documents

__all__ = [
    "Documents",
    "ResolvedPolicy",
    "load_documents",
    "load_slos",
    "objective_names",
    "policies_by_slo",
    "read_slos",
    "resolve",
    "write_documents",
]
