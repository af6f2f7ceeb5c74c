"""What operators are told of jobs: lines of the log and traces, after the events of the store."""

import json
import logging

import pytest

from scheduler.domain.errors import OutageError
from scheduler.domain.jobs import Retry
from scheduler.logs import JsonFormatter, LogFormat, TextFormatter, configure, of_attempt
from scheduler.service.observability import event_feed, job_spans
from scheduler.service.observability.event_feed import EventFeed
from scheduler.service.observability.job_log import JobEventLog
from scheduler.testing.samples import job_spec

LOGGER = "scheduler.service.observability.job_log"


@pytest.fixture
def spans():
    """A provider, and the spans that it was given."""
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry.sdk.trace import TracerProvider

    exporter = memory.InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    yield provider, exporter
    provider.shutdown()


def lines(caplog):
    formatter = JsonFormatter()
    return [json.loads(formatter.format(one)) for one in caplog.records if one.name == LOGGER]


def through_its_life(world, *ends):
    """A job whose attempts end like this."""
    retry = Retry(len(ends), backoff_s=5.0)
    world.submit(job_spec(project="vision", name="cats", retry=retry))
    for number, end in enumerate(ends, 1):
        world.settle()
        world.clock.advance(10)
        end(f"1.{number}")
        world.clock.advance(30)
        world.step()


def test_every_line_of_a_job_has_its_job_attempt_node_and_project(world, caplog):
    caplog.set_level(logging.INFO, LOGGER)
    through_its_life(world, world.finish)
    EventFeed(world.store, [JobEventLog()]).tell()
    found = lines(caplog)
    assert [line["event"] for line in found] == ["submitted", "placed", "started", "succeeded"]
    for line in found:
        assert (line["job"], line["project"], line["level"]) == (1, "vision", "info")
        assert line["message"].startswith("job 1 (cats) ")
        assert line["time"].endswith("Z")
    for line in found[1:]:
        assert (line["attempt"], line["node"], line["pool"]) == (1, "local", "cpu")
    assert "decided by" in found[1]["message"]


def test_the_feed_tells_each_event_once_and_begins_with_the_next(world, monkeypatch):
    monkeypatch.setattr(event_feed, "PAUSE_S", 3600.0)
    world.submit()

    class Listener:
        def __init__(self):
            self.seen, self.closed = [], False

        def told(self, event, job, attempt):
            self.seen.append((event.job, event.name.value))

        def close(self):
            self.closed = True

    listener = Listener()
    feed = EventFeed(world.store, [listener])
    feed.start()
    world.submit()
    feed.tell()
    feed.tell()
    assert listener.seen[0] == (2, "submitted")
    assert len(listener.seen) == len(set(listener.seen))
    world.cancel(2)
    feed.stop()
    assert listener.closed
    assert (2, "cancelled") in listener.seen or (2, "cancel-requested") in listener.seen


def test_without_a_listener_nothing_runs(world):
    feed = EventFeed(world.store, [])
    feed.start()
    feed.stop()


def test_an_outage_of_the_store_is_outlived(world, monkeypatch):
    told = []

    class Listener(JobEventLog):
        def told(self, event, job, attempt):
            told.append(event.seq)

    feed = EventFeed(world.store, [Listener()])
    world.submit()
    real = world.store.events
    monkeypatch.setattr(
        world.store, "events", lambda *a, **k: (_ for _ in ()).throw(OutageError("x"))
    )
    with pytest.raises(OutageError):
        feed.tell()
    monkeypatch.setattr(world.store, "events", real)
    feed.tell()
    assert told


def test_the_way_of_a_job_is_one_trace(world, spans):
    provider, exporter = spans
    through_its_life(world, world.fail, world.finish)
    EventFeed(world.store, [job_spans.JobSpans(world.store, provider)]).tell()
    found = exporter.get_finished_spans()
    assert len({span.context.trace_id for span in found}) == 1
    (root,) = [span for span in found if span.parent is None]
    assert root.name == "job"
    assert root.attributes["fulcrum.job.id"] == 1
    assert root.attributes["fulcrum.job.project"] == "vision"
    assert root.attributes["fulcrum.job.state"] == "SUCCEEDED"
    names = sorted(span.name for span in found)
    assert names == ["attempt"] * 2 + ["job"] + ["run"] * 2 + ["start"] * 2 + ["wait"] * 2
    waits = [span for span in found if span.name == "wait"]
    (decided,) = waits[0].events
    assert "decided by" in decided.attributes["reason"]
    attempts = sorted(
        (one for one in found if one.name == "attempt"), key=lambda one: one.start_time
    )
    assert [one.attributes["fulcrum.attempt.end"] for one in attempts] == ["retried", "succeeded"]
    assert [one.status.is_ok for one in attempts] == [False, True]
    for span in found:
        assert root.start_time <= span.start_time <= span.end_time <= root.end_time
    for child in (one for one in found if one.name in ("start", "run")):
        assert child.parent.span_id in {one.context.span_id for one in attempts}


def test_a_job_that_never_started_has_a_trace_too(world, spans):
    provider, exporter = spans
    world.submit(job_spec(), job_spec(after=(-1,)))
    world.cancel(2)
    EventFeed(world.store, [job_spans.JobSpans(world.store, provider)]).tell()
    assert sorted(span.name for span in exporter.get_finished_spans()) == ["job", "wait"]


def test_a_clock_that_was_set_back_makes_no_negative_span(world, spans):
    provider, exporter = spans
    world.submit()
    world.settle()
    world.clock.set_by(-500)
    world.finish("1.1")
    EventFeed(world.store, [job_spans.JobSpans(world.store, provider)]).tell()
    assert all(span.end_time >= span.start_time for span in exporter.get_finished_spans())


def test_traces_are_off_unless_an_endpoint_is_named(caplog):
    assert job_spans.configured({}) is None
    off = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}
    assert job_spans.configured(off) is None
    assert not caplog.records


def test_a_missing_extra_is_told(monkeypatch, caplog):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert job_spans.configured({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}) is None
    assert "install fulcrum-scheduler[otel]" in caplog.text


def test_both_formats_show_an_exception():
    error = ValueError("odd")
    info = (type(error), error, None)
    record = logging.LogRecord("x", logging.ERROR, "p", 1, "failed: %s", ("é",), info)
    record.job = 17
    line = JsonFormatter().format(record)
    assert "\n" not in line
    content = json.loads(line)
    assert (content["message"], content["job"], content["level"]) == ("failed: é", 17, "error")
    assert "ValueError: odd" in content["exception"]
    first, *rest = TextFormatter().format(record).splitlines()
    assert first.endswith("error x: failed: é")
    assert rest[-1] == "ValueError: odd"


def test_one_handler_writes_everything(capsys):
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure("info", LogFormat.JSON)
        configure("warning", LogFormat.JSON)
        logging.getLogger("some.library").info("quiet")
        logging.getLogger("some.library").warning("attempt", extra=of_attempt("17.2"))
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["job"] == 17
        assert json.loads(line)["attempt"] == 2
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert of_attempt("odd") == {}
