"""The gate: what must hold before anything is broken."""
