"""The parts of an experiment's `llm-gameday` extension, each read into its own type."""
