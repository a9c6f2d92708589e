"""What has to stand in Alertmanager's configuration so that it sends here."""

from __future__ import annotations

from pathlib import Path

PATH = "/webhook"
_SNIPPET = """\
# Alertmanager 0.22 or later: merge into its configuration. Several Alertmanagers of one cluster may all send here.
route:
  receiver: sre
  group_by: [slo, service, severity]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h        # `sre serve --stale-after` must be longer than the longest of these
receivers:
  - name: sre
    webhook_configs:
      - url: {url}
        send_resolved: true
        max_alerts: 0          # 0: leave none out
        http_config:
"""
_CREDENTIALS = """\
          authorization:
            type: Bearer
            credentials_file: {file}
"""
_OPEN = "          follow_redirects: false   # the server runs with --no-auth: no credentials are sent\n"


def alertmanager_config(*, port: int, token_file: Path | None, no_auth: bool) -> str:
    """YAML to merge. The token itself is never printed; without a file a place for it is named."""
    url = f"http://127.0.0.1:{port}{PATH}"
    file = "/etc/alertmanager/sre-webhook-token" if token_file is None else str(token_file.absolute())
    return _SNIPPET.format(url=url) + (_OPEN if no_auth else _CREDENTIALS.format(file=file))
