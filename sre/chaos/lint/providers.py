"""What an activity calls: a Python function, a process, an address."""

from __future__ import annotations

import math
import os
import shutil
from urllib.parse import urlsplit

from sre.chaos.lint.functions import check_function
from sre.chaos.lint.model import Notes
from sre.chaos.lint.scope import Scope
from sre.chaos.lint.tree import known_fields, text
from sre.slo.documents import Node

KINDS = ("python", "process", "http")
PROCESS = ("type", "path", "arguments", "timeout")
HTTP = ("type", "url", "method", "headers", "timeout", "arguments", "verify_tls", "max_retries")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def check_provider(node: Node, notes: Notes, scope: Scope, *, action: bool) -> None:
    if node.fields is None:
        notes.errors.add(node, f"is {node.kind}: write a mapping with type {', '.join(KINDS)}")
        return
    mend = f"use one of {', '.join(KINDS)}"
    kind = notes.errors.one_of(notes.errors.required(node, "type", mend), KINDS, mend)
    if kind == "python":
        check_function(node, notes, scope)
    elif kind == "process":
        _check_process(node, notes, action=action)
    elif kind == "http":
        _check_http(node, notes, scope)


def _check_process(node: Node, notes: Notes, *, action: bool) -> None:
    fields = known_fields(node, PROCESS, notes)
    mend = "name the program, e.g. kubectl"
    path = notes.errors.text(notes.errors.required(node, "path", mend), mend)
    if path and (shutil.which(path) is None or "\0" in path or not os.access(shutil.which(path) or "", os.X_OK)):
        notes.errors.add(fields["path"], f"{path} is no program here: install it, or mend the path")
    _check_arguments_of_process(fields.get("arguments"), notes)
    _check_timeout(node, fields.get("timeout"), notes, pair=False)
    if action:
        notes.warnings.add(node, "Chaos Toolkit takes any exit code for success: check what it did with a probe")


def _check_arguments_of_process(node: Node | None, notes: Notes) -> None:
    if node is None:
        return
    if isinstance(node.scalar, str):
        notes.warnings.add(node, "one text goes through a shell: write a list")
    elif node.fields is not None:
        notes.errors.add(node, "is a mapping, which Chaos Toolkit gave up: write a list")
    elif node.items is None:
        notes.errors.add(node, f"is {node.kind}: write a list")
    for item in node.items or ():
        if item.fields is not None or item.items is not None:
            notes.errors.add(item, f"is {item.kind}: write text")


def _check_http(node: Node, notes: Notes, scope: Scope) -> None:
    fields = known_fields(node, HTTP, notes)
    mend = "write http://HOST/PATH or https://HOST/PATH"
    notes.errors.text(notes.errors.required(node, "url", mend), mend)
    url = fields.get("url")
    known = None if url is None else scope.constant(url)
    if url is not None and isinstance(known, str) and not _is_address(known):
        notes.errors.add(url, f"is {url.kind}, on which Chaos Toolkit ends with a traceback: {mend}")
    method = text(node, "method")
    if "method" in fields and method.upper() not in METHODS:
        notes.errors.add(fields["method"], f"is {fields['method'].kind}: use one of {', '.join(METHODS)}")
    _check_http_details(node, fields, notes)


def _check_http_details(node: Node, fields: dict[str, Node], notes: Notes) -> None:
    for key in ("headers", "arguments"):
        child = fields.get(key)
        if child is not None and child.fields is None:
            notes.errors.add(child, f"is {child.kind}: write a mapping")
    for header in ((fields["headers"].fields or {}) if "headers" in fields else {}).values():
        notes.errors.text(header, "write text: a header is no number")
    notes.errors.boolean(fields.get("verify_tls"), "write true or false")
    retries = fields.get("max_retries")
    if retries is not None and (type(retries.scalar) is not int or not 0 <= retries.scalar <= 100):
        notes.errors.add(retries, f"is {retries.kind}: write a whole number of 0 to 100")
    _check_timeout(node, fields.get("timeout"), notes, pair=True)


def _check_timeout(node: Node, timeout: Node | None, notes: Notes, *, pair: bool) -> None:
    if timeout is None:
        notes.warnings.add(node, "missing: without it Chaos Toolkit waits for ever: give seconds", key="timeout")
        return
    parts = timeout.items if pair and timeout.items is not None and len(timeout.items) == 2 else (timeout,)
    for part in parts:
        value = part.scalar
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            notes.errors.add(part, f"is {part.kind}: write seconds, above 0")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
