"""API keys of the gateway's tenants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sre.platforms.local.errors import serving_errors_as_ours


def new_tenant_key(path: Path, tenant: str, settings: dict[str, Any]) -> str:
    """A fresh key for `tenant`, whose hash is added to the tenants file. Raises SreError."""
    from serving.gateway.tenants import add_tenant  # pydantic takes a fifth of a second, and most verbs need no keys

    with serving_errors_as_ours():
        return add_tenant(path, tenant, settings)
