"""Triton: how a replica is found, configured and launched, and the engines that run inside its model `llm`."""
