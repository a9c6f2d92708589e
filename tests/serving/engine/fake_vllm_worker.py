"""Speaks the child's side of `serving.engine.vllm.protocol` without vLLM. What it does is told by the prompt."""

import json
import os
import socket
import sys
import time

ENDS = {"refuse": "INVALID_ARG: too long", "too late": "DEADLINE_EXCEEDED: too late"}


class Child:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def say(self, *message: object) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def start(self, how: str) -> bool:
        """Whether it serves, by the name of the configuration."""
        if how == "refuses":
            self.say("failed", "BadInput: does not fit")
            return False
        if how == "silent":
            time.sleep(60)
        self.say("ready", {"cold_start_s": {"import": 1.5}, "kv_tokens": 4096})
        return True

    def answer(self, request_id: str, prompt: str, max_tokens: int) -> None:
        if prompt in ENDS:
            self.say("ended", request_id, ENDS[prompt])
        elif prompt == "environment":
            self.say("tokens", request_id, json.dumps(dict(os.environ)), [1], ["stop", 1, 1])
        else:
            for number, word in enumerate(prompt.split()):
                self.say("tokens", request_id, word, [number], None)
            self.say("tokens", request_id, "", [], ["length", 3, max_tokens])

    def misbehave(self, prompt: str) -> bool:
        """Whether this prompt asked for it."""
        if prompt == "die":
            os._exit(1)
        elif prompt == "say you are dead":
            self.say("dead", "a worker died")
        elif prompt == "talk nonsense":
            self._connection.sendall(b"garbage\n")
        return prompt in {"say you are dead", "talk nonsense", "wait"}


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    child = Child(connection)
    if not child.start(sys.argv[2]):
        return
    for line in connection.makefile("rb"):
        name, request_id, *rest = json.loads(line)
        if name == "cancel":
            child.say("ended", request_id, None)
        elif not child.misbehave(rest[0]):
            child.answer(request_id, rest[0], rest[1]["max_tokens"])


if __name__ == "__main__":
    main()
