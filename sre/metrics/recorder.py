"""Our own scraper, run as a small process beside the platform: `python -m sre.metrics.recorder --config recorder.json`.

It exists so that a drill has evidence where no Prometheus is installed, and a second witness where one is. Scrapes
start on an absolute timeline (tick k at start + k x interval), all targets at once, and a sample carries the wall-clock
time at which its tick began, as in Prometheus. A tick that comes late is skipped, never made up.

The targets may change while it runs: a configuration file that changed is read again before the next tick. A target
that is no longer named is no longer scraped, so its series end instead of being `up 0` for ever.

Closed segments are merged into blocks beside the scraping, in a thread: a tick never waits for it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp

from sre.errors import SreError
from sre.metrics.compaction import Compactor
from sre.metrics.exposition import ExpositionParser, MalformedExposition, SampleId
from sre.metrics.segments import SegmentWriter
from sre.metrics.targets import RecorderConfig, Target, read_config, scrape_timeout_s

MAX_PAGE_BYTES = 16 * 2**20


class ScrapeFailed(Exception):  # noqa: N818  (recorded as up=0, never leaves this module)
    """One scrape of one target brought nothing; the message says why in a few words."""


class ConfigFile:
    """`recorder.json`, read again when it was replaced or rewritten. A bad one is told once; the last good holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> RecorderConfig | None:
        """The configuration if the file is another than at the last call. Raises BadDocument for a bad first one."""
        stamp = self._stamp()
        first = self._seen is None
        if stamp == self._seen and not first:
            return None
        self._seen = stamp
        try:
            return read_config(self._path)
        except SreError as error:
            if first:
                raise
            _say(f"{error}; goes on with the targets it has")
            return None

    def _stamp(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (status.st_ino, status.st_mtime_ns, status.st_size)


class Recorder:
    """Scrapes `config.targets` until told to stop. `wall` is the clock that stamps samples.

    `changed` is asked before each tick for another configuration; its targets are taken, the rest stays as it began.
    """

    def __init__(
        self,
        config: RecorderConfig,
        *,
        wall: Callable[[], float] = time.time,
        changed: Callable[[], RecorderConfig | None] = lambda: None,
    ) -> None:
        self._config = config
        self._wall = wall
        self._changed = changed
        self._parsers = [ExpositionParser(config.keep) for _ in config.targets]
        self._writer = _writer(config)
        self._last_at = 0.0
        self._disk_error: str | None = None
        self._compactor = Compactor(config.directory, interval_s=config.interval_s)
        self._compaction: asyncio.Task[None] | None = None
        self._compacted_before = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Scrape until `stop` is set. A scrape in flight at that moment is given up, what was written stays."""
        # keep-alive must outlive the interval, or every scrape pays for a connection
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=10 * self._config.interval_s)
        timeout = aiohttp.ClientTimeout(total=scrape_timeout_s(self._config.interval_s))
        headers = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "identity"}
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
            ticks = asyncio.create_task(self._tick_forever(session))
            stopped = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({ticks, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ticks.cancel()
                stopped.cancel()
                outcome, _ = await asyncio.gather(ticks, stopped, return_exceptions=True)
                self._writer.close()
                if self._compaction is not None:
                    await self._compaction
        if isinstance(outcome, Exception):
            raise outcome

    async def _tick_forever(self, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        started, tick = loop.time(), 0
        while True:
            await self._tick(session)
            due = int((loop.time() - started) / self._config.interval_s) + 1
            tick = max(tick + 1, due)
            await asyncio.sleep(started + tick * self._config.interval_s - loop.time())

    async def _tick(self, session: aiohttp.ClientSession) -> None:
        at = round(self._wall(), 3)
        if at <= self._last_at:  # the wall clock was set back: times must increase, so wait until it has caught up
            return
        self._last_at = at
        self._retarget(self._changed())
        if not self._guarded(lambda: self._writer.advance(at)):
            return
        self._compact(self._writer.opened_at)
        await asyncio.gather(*(self._scrape(session, at, i) for i in range(len(self._config.targets))))

    def _compact(self, before: float) -> None:
        """Merge closed segments when one was closed since the last time, unless that is still going on."""
        if before <= self._compacted_before or (self._compaction is not None and not self._compaction.done()):
            return
        self._compacted_before = before
        self._compaction = asyncio.create_task(self._merge(before))

    async def _merge(self, before: float) -> None:
        try:
            await asyncio.to_thread(self._compactor.run, before)
        except OSError as error:  # samples stay in their segments
            if self._disk_error is None:
                _say(f"cannot merge segments in {self._config.directory}: {error}; will retry")
            self._disk_error = str(error)

    def _retarget(self, changed: RecorderConfig | None) -> None:
        """Go on with other targets, in a segment of their own: a segment numbers its targets once."""
        if changed is None or changed.targets == self._config.targets:
            return
        known = dict(zip(self._config.targets, self._parsers, strict=True))
        self._config = replace(self._config, targets=changed.targets)
        self._parsers = [known.get(target) or ExpositionParser(self._config.keep) for target in changed.targets]
        self._writer.close()
        self._writer = _writer(self._config)

    async def _scrape(self, session: aiohttp.ClientSession, at: float, index: int) -> None:
        try:
            samples = await self._read(session, self._config.targets[index], self._parsers[index])
        except ScrapeFailed as failure:
            reason = str(failure)
            self._guarded(lambda: self._writer.failed(at, index, reason))
            return
        self._guarded(lambda: self._writer.scraped(at, index, samples))

    async def _read(
        self, session: aiohttp.ClientSession, target: Target, parser: ExpositionParser
    ) -> dict[SampleId, float]:
        try:
            async with session.get(target.via or target.url, allow_redirects=False) as response:
                if response.status != 200:
                    raise ScrapeFailed(f"HTTP {response.status}")
                page = await _read_page(response)
            return parser.parse(page.decode("utf-8"))
        except TimeoutError as error:
            raise ScrapeFailed("no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ScrapeFailed(type(error).__name__) from error
        except (MalformedExposition, UnicodeDecodeError) as error:
            raise ScrapeFailed(f"unreadable page: {error}"[:200]) from error

    def _guarded(self, write: Callable[[], None]) -> bool:
        """Do a write. On a disk fault say so once and drop the segment (its last line may be cut); then retry."""
        try:
            write()
        except OSError as error:
            self._writer.close()
            if self._disk_error is None:
                _say(f"cannot write samples to {self._config.directory}: {error}; will retry")
            self._disk_error = str(error)
            return False
        self._disk_error = None
        return True


def _writer(config: RecorderConfig) -> SegmentWriter:
    return SegmentWriter(
        config.directory,
        config.targets,
        interval_s=config.interval_s,
        segment_s=config.segment_s,
        retention_s=config.retention_s,
    )


def _say(what: str) -> None:
    """One line for the log. It lies on the same disk as the samples: when that is full, nothing can be said."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"recorder: {what}\n")
        sys.stderr.flush()


async def _read_page(response: aiohttp.ClientResponse) -> bytes:
    page = bytearray()
    async for chunk in response.content.iter_any():
        page += chunk
        if len(page) > MAX_PAGE_BYTES:
            raise ScrapeFailed(f"page larger than {MAX_PAGE_BYTES} bytes")
    return bytes(page)


async def _record(path: Path) -> None:
    file = ConfigFile(path)
    config = file.changed() or read_config(path)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Recorder(config, changed=file.changed).run(stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the process; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m sre.metrics.recorder", description="Scrape metrics to files.")
    parser.add_argument("--config", type=Path, required=True, help="recorder.json, see docs/contracts.md")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_record(options.config))
    except SreError as error:
        _say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
