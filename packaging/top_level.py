"""Puts top_level.txt beside the metadata of our wheel, editable installations included.

`chaos discover llm-gameday` imports the first top-level package that the metadata names and asks its `discover`
function. Without the file, Python 3.11 guesses the packages in an arbitrary order, and finds none in an editable
installation.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TopLevel(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        included = build_data["force_include_editable" if version == "editable" else "force_include"]
        project = self.build_config.builder.artifact_project_id
        included[f"{self.root}/packaging/top_level.txt"] = f"{project}.dist-info/top_level.txt"
