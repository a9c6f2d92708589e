"""The recorder scrapes real HTTP pages into segments, and a target that fails never stops it or its neighbours."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from sre.metrics import recorder as recorder_module
from sre.metrics.files import RecordedSamples
from sre.metrics.model import Matcher, Selector
from sre.metrics.recorder import Recorder
from sre.metrics.segments import segment_paths
from sre.metrics.targets import RecorderConfig, Target

INTERVAL_S = 0.1


class Exporter:
    """A metrics page that counts its readers; `behave` may answer something else."""

    def __init__(self):
        self.reads = 0
        self.behave = None

    async def handle(self, request):
        self.reads += 1
        if self.behave is not None:
            return await self.behave(request)
        return web.Response(text=f"# TYPE reads_total counter\nreads_total {self.reads}\nother 1\n")


@asynccontextmanager
async def serving(*exporters):
    """Yields a target for each exporter."""
    runners = []
    targets = []
    try:
        for number, exporter in enumerate(exporters):
            app = web.Application()
            app.router.add_get("/metrics", exporter.handle)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            runners.append(runner)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            targets.append(Target(f"job{number}", f"http://{host}:{port}/metrics"))
        yield tuple(targets)
    finally:
        for runner in runners:
            await runner.cleanup()


async def record_until(config, done, **options):
    """Run a recorder until `done()`; fails after 20 s."""
    stop = asyncio.Event()
    task = asyncio.create_task(Recorder(config, **options).run(stop))
    async with asyncio.timeout(20):
        while not done():
            if task.done():
                await task
            await asyncio.sleep(INTERVAL_S / 5)
        stop.set()
        await task


def config_for(tmp_path, targets, **changes):
    return replace(RecorderConfig(tmp_path / "samples", targets, interval_s=INTERVAL_S), **changes)


def read(tmp_path, name, job):
    source = RecordedSamples(tmp_path / "samples")
    found = source.series(Selector(name, (Matcher("job", "=", job),)), start=0, end=time.time() + 3600)
    return found[0].values.tolist() if found else []


async def test_each_scrape_becomes_a_sample(tmp_path):
    exporter = Exporter()
    async with serving(exporter) as targets:
        await record_until(config_for(tmp_path, targets, keep=("reads_",)), lambda: exporter.reads >= 5)
    values = read(tmp_path, "reads_total", "job0")
    assert set(values) >= {1, 2, 3}
    assert values == sorted(set(values))
    assert read(tmp_path, "up", "job0").count(1) == len(values)
    assert read(tmp_path, "other", "job0") == []


async def test_all_targets_of_a_tick_share_its_time(tmp_path):
    exporters = Exporter(), Exporter()
    async with serving(*exporters) as targets:
        await record_until(config_for(tmp_path, targets), lambda: min(e.reads for e in exporters) >= 4)
    series = RecordedSamples(tmp_path / "samples").series(Selector("reads_total"), start=0, end=time.time() + 1)
    first, second = (one.times.tolist()[:3] for one in series)
    assert set(first) & set(second)


async def hang(_request):
    await asyncio.sleep(3600)


async def fail(_request):
    return web.Response(status=500)


async def babble(_request):
    return web.Response(text="<html>not metrics</html>")


async def redirect(_request):
    raise web.HTTPFound("/elsewhere")


async def flood(_request):
    return web.Response(text="a 1\n" * 100_000)


@pytest.mark.parametrize("behave", [hang, fail, babble, redirect, flood])
async def test_a_broken_target_is_down_and_its_neighbour_is_not(tmp_path, behave, monkeypatch):
    monkeypatch.setattr(recorder_module, "MAX_PAGE_BYTES", 100_000)
    broken, well = Exporter(), Exporter()
    broken.behave = behave
    async with serving(broken, well) as targets:
        await record_until(config_for(tmp_path, targets), lambda: broken.reads >= 3 and well.reads >= 3)
    assert set(read(tmp_path, "up", "job0")) == {0}
    assert read(tmp_path, "a", "job0") == []
    assert read(tmp_path, "up", "job1").count(1) >= 2


async def test_a_target_that_is_not_there_is_down_until_it_comes(tmp_path):
    exporter = Exporter()
    async with serving(exporter) as targets:
        pass  # the port is free now, and refuses
    config = config_for(tmp_path, targets)

    def failed():
        return segment_paths(config.directory) and 0 in read(tmp_path, "up", "job0")

    await record_until(config, failed)
    assert set(read(tmp_path, "up", "job0")) == {0}


async def test_a_target_that_left_ends_and_a_new_one_begins(tmp_path):
    """A replica that was scaled in must not be `up 0` for ever, and one that joined must be seen soon."""
    stays, leaves, joins = Exporter(), Exporter(), Exporter()
    async with serving(stays, leaves, joins) as targets:
        config = config_for(tmp_path, targets[:2])

        def changed():
            return replace(config, targets=(targets[0], targets[2])) if leaves.reads >= 3 else None

        await record_until(config, lambda: joins.reads >= 3, changed=changed)
    assert leaves.reads == 3
    assert set(read(tmp_path, "up", "job1")) == {1}
    assert len(read(tmp_path, "up", "job2")) >= 2
    assert len(read(tmp_path, "reads_total", "job0")) >= 5
    assert len(segment_paths(config.directory)) == 2


def config_file(path, *ports):
    entries = [{"job": "triton", "url": f"http://127.0.0.1:{port}/metrics"} for port in ports]
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"directory": "samples", "targets": entries}))
    temporary.replace(path)


def test_a_configuration_file_is_read_again_when_it_was_replaced(tmp_path):
    path = tmp_path / "recorder.json"
    config_file(path, 1)
    file = recorder_module.ConfigFile(path)
    assert len(file.changed().targets) == 1
    assert file.changed() is None
    config_file(path, 1, 2)
    assert len(file.changed().targets) == 2
    assert file.changed() is None


def test_a_configuration_that_went_bad_is_told_once_and_the_last_good_one_holds(tmp_path, capsys):
    path = tmp_path / "recorder.json"
    config_file(path, 1)
    file = recorder_module.ConfigFile(path)
    file.changed()
    path.write_text("{")
    assert file.changed() is None
    assert file.changed() is None
    path.unlink()
    assert file.changed() is None
    assert capsys.readouterr().err.count("goes on with the targets it has") == 2


async def test_a_clock_set_back_writes_nothing_until_it_has_caught_up(tmp_path):
    exporter = Exporter()
    hours = iter([100.0, 101.0, 50.0, 60.0, 102.0])
    async with serving(exporter) as targets:
        await record_until(config_for(tmp_path, targets), lambda: exporter.reads >= 4, wall=lambda: next(hours, 103.0))
    (series,) = RecordedSamples(tmp_path / "samples").series(Selector("reads_total"), start=0, end=200)
    assert series.times.tolist()[:3] == [100, 101, 102]


async def test_a_full_disk_is_said_once_and_survived(tmp_path, capsys):
    exporter = Exporter()
    blocked = tmp_path / "samples"
    blocked.write_text("a file where the folder should be")
    async with serving(exporter) as targets:
        stop = asyncio.Event()
        task = asyncio.create_task(Recorder(config_for(tmp_path, targets)).run(stop))
        async with asyncio.timeout(20):
            await asyncio.sleep(4 * INTERVAL_S)
            blocked.unlink()
            while exporter.reads < 3:
                await asyncio.sleep(INTERVAL_S / 5)
            stop.set()
            await task
    assert read(tmp_path, "reads_total", "job0")
    assert capsys.readouterr().err.count("cannot write samples") == 1


def test_a_disk_that_is_full_for_its_log_too_is_survived(tmp_path):
    samples, config, log = tmp_path / "samples", tmp_path / "recorder.json", tmp_path / "recorder.log"
    target = {"job": "gateway", "url": "http://127.0.0.1:9/metrics"}
    config.write_text(json.dumps({"directory": str(samples), "interval_s": 0.1, "targets": [target]}))
    command = [sys.executable, "-m", "sre.metrics.recorder", "--config", str(config)]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stderr=sink)

    def written():
        return sum(path.stat().st_size for path in samples.glob("*")) if samples.is_dir() else 0

    def until(seen):
        deadline = time.monotonic() + 30
        while not seen() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert seen()

    try:
        until(lambda: written() > 0)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        time.sleep(0.5)
        full = written()
        assert process.poll() is None
        assert log.read_bytes() == b""
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: written() > full)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_as_a_process_it_ends_cleanly_on_sigterm(tmp_path):
    samples, config = tmp_path / "samples", tmp_path / "recorder.json"
    target = {"job": "gateway", "url": "http://127.0.0.1:9/metrics"}  # nothing listens on the discard port
    config.write_text(json.dumps({"directory": str(samples), "interval_s": 0.1, "targets": [target]}))
    command = [sys.executable, "-m", "sre.metrics.recorder", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"PYTHONWARNINGS": "error"})
    try:
        deadline = time.monotonic() + 30
        while not (samples.is_dir() and segment_paths(samples)) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert said == b""
    ((_, segment),) = segment_paths(samples)
    assert segment.read_bytes().endswith(b"\n")


def test_a_bad_configuration_is_one_line_and_exit_2(tmp_path, capsys):
    assert recorder_module.main(["--config", str(tmp_path / "absent.json")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "absent.json" in said
