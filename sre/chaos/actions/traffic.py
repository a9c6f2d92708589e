"""Faults that clients are."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import injected

Configuration = dict[str, Any]


def surge_traffic(
    lease_s: float,
    rate_rps: float | None = None,
    factor: float | None = None,
    prompt_tokens: int = 200,
    output_tokens: int = 100,
    timeout_s: float = 30.0,
    seed: int = 1,
    model: str = "llm",
    api_key_env: str | None = None,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Send extra requests for `lease_s` seconds: `rate_rps` a second, or as many as make the traffic found at the start
    `factor` times as much (3: two more for each). Open loop; each is given up after `timeout_s` seconds.

    `api_key_env` names the environment variable that holds a tenant's key. Component `traffic`. Ends by itself.
    """
    params = {
        "rate_rps": rate_rps,
        "factor": factor,
        "prompt_tokens": prompt_tokens,
        "output_tokens": output_tokens,
        "timeout_s": timeout_s,
        "seed": seed,
        "model": model,
        "api_key_env": api_key_env,
    }
    return injected("traffic-surge", params, lease_s=lease_s, configuration=configuration)


def flood_long_prompts(
    lease_s: float,
    prompt_tokens: int = 8000,
    rate_rps: float = 2.0,
    output_tokens: int = 16,
    timeout_s: float = 60.0,
    seed: int = 1,
    model: str = "llm",
    api_key_env: str | None = None,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Send `rate_rps` requests a second with prompts of `prompt_tokens` tokens, no two with the same beginning.

    `api_key_env` names the environment variable that holds a tenant's key. Component `traffic`. Ends by itself.
    """
    params = {
        "prompt_tokens": prompt_tokens,
        "rate_rps": rate_rps,
        "output_tokens": output_tokens,
        "timeout_s": timeout_s,
        "seed": seed,
        "model": model,
        "api_key_env": api_key_env,
    }
    return injected("long-prompt-flood", params, lease_s=lease_s, configuration=configuration)


def start_retry_storm(
    lease_s: float,
    clients: int = 50,
    timeout_s: float = 0.5,
    attempts: int = 5,
    pause_s: float = 1.0,
    prompt_tokens: int = 200,
    output_tokens: int = 100,
    seed: int = 1,
    model: str = "llm",
    api_key_env: str | None = None,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Let `clients` send requests with a timeout of `timeout_s` seconds and repeat every failure at once, without
    back-off, up to `attempts` times; `pause_s` seconds between one client's requests.

    Not proven when nothing fails: choose a timeout shorter than an answer takes. Component `traffic`. Ends by itself.
    """
    params = {
        "clients": clients,
        "timeout_s": timeout_s,
        "attempts": attempts,
        "pause_s": pause_s,
        "prompt_tokens": prompt_tokens,
        "output_tokens": output_tokens,
        "seed": seed,
        "model": model,
        "api_key_env": api_key_env,
    }
    return injected("retry-storm", params, lease_s=lease_s, configuration=configuration)


def start_disconnect_storm(
    lease_s: float,
    rate_rps: float = 10.0,
    prompt_tokens: int = 200,
    output_tokens: int = 400,
    timeout_s: float = 30.0,
    seed: int = 1,
    model: str = "llm",
    api_key_env: str | None = None,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Open `rate_rps` streams a second and hang up on each after its first token.

    `output_tokens` is what each asks for, and would cost if nobody noticed. Component `traffic`. Ends by itself.
    """
    params = {
        "rate_rps": rate_rps,
        "prompt_tokens": prompt_tokens,
        "output_tokens": output_tokens,
        "timeout_s": timeout_s,
        "seed": seed,
        "model": model,
        "api_key_env": api_key_env,
    }
    return injected("disconnect-storm", params, lease_s=lease_s, configuration=configuration)
