"""A learned policy decides where it replays better than its rival, and only there."""

import threading
from dataclasses import replace

import pytest

from scheduler import bootstrap, settings
from scheduler.domain.errors import InputError, MissingError, OutageError, StateError
from scheduler.hardware.inventory import Inventory
from scheduler.policies import lookup
from scheduler.service.policy_control.replay_evaluation import ReplayVerdict
from scheduler.service.service import Service
from scheduler.testing.clock import ManualClock
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.memory_store import MemoryStore
from tests.support.service_worlds import CPU, GPU

PATIENCE_S = 20.0


class Made:
    """sjf under the name of a policy that must prove itself."""

    stable = True

    def __init__(self, rest):
        self.name = f"made:{rest}"
        self.scores, self.costs = lookup.HEURISTICS["sjf"].scores, lookup.HEURISTICS["sjf"].costs


def verdict(nominee, rival, shown=True):
    return ReplayVerdict(
        source="history",
        about="90 jobs",
        windows=8,
        jobs=90,
        nominee=nominee,
        rival=rival,
        difference=nominee / rival - 1,
        low=-0.6,
        high=-0.4 if shown else 0.1,
        median=-0.5,
        won=7,
        lost=1,
        shown=shown,
        utilisation=0.8,
        queue_mean=3.0,
        queue_max=20.0,
        waiting=0.4,
        seconds=1.0,
    )


class FakeReplay:
    """Answers when it is told to, as it is told to."""

    def __init__(self, nominee=1.0, rival=2.0, shown=True):
        self.answer = verdict(nominee, rival, shown)
        self.may = threading.Event()
        self.gone = threading.Event()
        self.asked = []

    def concerns(self, policy):
        return policy.startswith("made:")

    def run(self, question):
        self.asked.append(question)
        assert self.may.wait(PATIENCE_S)
        if self.gone.is_set():
            raise OutageError("cancelled")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def cancel(self):
        self.gone.set()
        self.may.set()


@pytest.fixture
def serve(tmp_path):
    store = MemoryStore()
    store.close = lambda: None
    services = []
    clock = ManualClock()

    def build(replay, pools=(CPU,), **options):
        devices = {pool.name: tuple(map(str, range(pool.count))) for pool in pools}
        service = Service(
            bootstrap.components(
                settings.Settings(data_dir=tmp_path, **{"policy": "made:one", **options}),
                store,
                FakeExecutor(clock),
                Inventory(tuple(pools), devices, {}, {}),
                clock,
                replay=replay,
                policies=lookup.PolicyResolver({"made": Made}),
            )
        )
        service.start(threaded=False)
        services.append(service)
        return service

    build.clock = clock
    yield build
    for service in services:
        service.stop()


def ended(service):
    assert service.policy_control.wait(PATIENCE_S)
    return service.policy_control.view()


def answered(serve, replay, **options):
    service = serve(replay, **options)
    replay.may.set()
    return service, ended(service)


def test_the_wanted_policy_decides_until_the_replay_says_otherwise(serve):
    replay = FakeReplay(nominee=2.0, rival=1.0)
    service = serve(replay)
    assert (service.policy_control.view().name, service.policy_control.view().fit.state) == (
        "made:one",
        "running",
    )
    replay.may.set()
    view = ended(service)
    assert (view.name, view.nominee, view.fit.better) == ("wgc", "made:one", "wgc")
    assert view.fit.verdict == replay.answer
    (question,) = replay.asked
    assert (question.nominee, question.rival, question.pools) == ("made:one", "wgc", (CPU,))
    assert question.until - question.since == 7 * 86_400


def test_the_better_nominee_stays(serve, caplog):
    caplog.set_level("INFO")
    _, view = answered(serve, FakeReplay())
    assert (view.name, view.fit.state, view.fit.why) == ("made:one", "done", "start")
    assert "made:one is better" in caplog.text


def test_a_difference_that_is_not_shown_is_not_claimed(serve, caplog):
    caplog.set_level("INFO")
    _, view = answered(serve, FakeReplay(nominee=2.0, rival=1.0, shown=False))
    assert (view.name, view.fit.better, view.fit.ahead) == ("wgc", None, "wgc")
    assert "no difference is shown" in caplog.text
    assert "is better\n" not in caplog.text
    again = FakeReplay()
    assert serve(again).policy_control.view().name == "wgc"  # the one ahead is remembered


def test_the_verdict_is_remembered_for_the_same_pools(serve):
    answered(serve, FakeReplay(nominee=2.0, rival=1.0))
    again = FakeReplay()
    service = serve(again)
    assert (service.policy_control.view().name, service.policy_control.view().nominee) == (
        "wgc",
        "made:one",
    )
    again.may.set()
    assert ended(service).name == "made:one"


def test_other_pools_are_another_question(serve):
    answered(serve, FakeReplay(nominee=2.0, rival=1.0))
    service = serve(FakeReplay(), pools=(CPU, GPU))
    assert service.policy_control.view().name == "made:one"
    assert service.policy_control.view().fit.why == "pools"


def test_what_a_person_chooses_stays(serve):
    replay = FakeReplay(nominee=2.0, rival=1.0)
    service = serve(replay)
    view = service.policy_control.use("made:two", actor="ann")
    assert ended(service).name == view.name == "made:two"
    assert replay.gone.is_set()
    assert service.policy_control.view().fit.state == "cancelled"  # nobody waits for it any longer
    unasked = FakeReplay()
    assert serve(unasked).policy_control.view().name == "made:two"
    assert not unasked.asked


def test_asked_for_it_replays_whatever_was_chosen(serve):
    replay = FakeReplay(nominee=2.0, rival=1.0)
    service = serve(replay, policy="fcfs")
    assert not replay.asked
    view = service.policy_control.evaluate("made:two", actor="ann")
    assert (view.name, view.nominee, view.fit.why) == ("fcfs", "made:two", "asked")
    with pytest.raises(StateError, match="under way"):
        service.policy_control.evaluate("made:one", actor="ann")
    assert service.policy_control.view().nominee == "made:two"
    replay.may.set()
    assert ended(service).name == "wgc"
    after = FakeReplay()
    assert answered(serve, after, policy="fcfs")[1].name == "made:two"


def test_wrong_questions_are_refused(serve):
    service = serve(FakeReplay(), policy="fcfs")
    with pytest.raises(MissingError):
        service.policy_control.evaluate("best", actor="ann")
    with pytest.raises(InputError, match="baseline of replays"):
        service.policy_control.evaluate("wgc", actor="ann")
    with pytest.raises(OutageError, match="no simulator"):
        serve(None).policy_control.evaluate("made:one", actor="ann")


def test_a_failed_replay_changes_nothing(serve, caplog):
    replay = FakeReplay()
    replay.answer = RuntimeError("out of memory")
    _, view = answered(serve, replay)
    assert (view.name, view.fit.state) == ("made:one", "failed")
    assert "out of memory" in view.fit.error
    assert "out of memory" in caplog.text


def test_a_shadow_is_scored_and_nobody_changes_places(serve):
    replay = FakeReplay(nominee=1.0, rival=2.0)
    service = serve(replay, policy="fcfs", shadow="made:two")
    begun = serve.clock.now()
    serve.clock.advance(50)
    view = service.policy_control.score()
    assert (view.shadow.fit.state, view.shadow.fit.why) == ("running", "shadow")
    with pytest.raises(StateError, match="under way"):
        service.policy_control.score()
    replay.may.set()
    view = ended(service)
    assert (view.shadow.fit.state, view.shadow.fit.better) == ("done", "made:two")
    assert view.shadow.fit.verdict == replay.answer
    assert (view.name, view.nominee, view.fit) == ("fcfs", "fcfs", None)
    (question,) = replay.asked
    assert (question.nominee, question.rival) == ("made:two", "fcfs")
    assert (question.since, question.until) == (begun, begun + 50)


def test_a_shadow_is_scored_since_it_began_over_restarts(serve):
    service = serve(FakeReplay(), policy="fcfs")
    serve.clock.advance(50)
    begun = service.policy_control.follow("made:two", actor="ann").shadow.since
    service.stop()
    serve.clock.advance(1000)
    replay = FakeReplay()
    service = serve(replay, policy="fcfs")
    service.policy_control.score()
    replay.may.set()
    assert ended(service).shadow.since == begun
    (question,) = replay.asked
    assert (question.since, question.until) == (begun, begun + 1000)


def test_a_score_ends_with_its_shadow_and_nobody_is_scored_against_itself(serve):
    replay = FakeReplay()
    service = serve(replay, policy="fcfs")
    service.policy_control.follow("fcfs", actor="ann")
    with pytest.raises(StateError, match="is the active policy"):
        service.policy_control.score()
    service.policy_control.follow("made:two", actor="ann")
    assert service.policy_control.score().shadow.fit.state == "running"
    service.policy_control.follow(None, actor="ann")
    assert replay.gone.is_set()
    assert service.policy_control.evaluate("made:one", actor="ann").fit.state == "running"


def test_a_replay_tells_nothing_of_another_policy(serve):
    service, view = answered(serve, FakeReplay())
    assert view.fit.nominee == "made:one"
    assert service.policy_control.use("sjf", actor="ann").fit is None
    assert serve(FakeReplay()).policy_control.view().fit is None


def test_the_score_of_a_former_shadow_is_not_its_successors(serve, caplog):
    caplog.set_level("INFO")
    replay = FakeReplay()
    service = serve(replay, policy="fcfs", shadow="made:two")
    service.policy_control.score()
    service.policy_control.follow("made:one", actor="ann")
    assert replay.gone.is_set()
    assert ended(service).shadow.fit is None
    assert "shadow: made:two against fcfs: cancelled" in caplog.text


def test_nothing_is_replayed_unless_wanted(serve):
    for options in ({"fit": False}, {"policy": "sjf"}):
        replay = FakeReplay()
        assert serve(replay, **options).policy_control.view().fit is None
        assert not replay.asked


def test_stopping_does_not_wait_for_a_replay(serve):
    replay = FakeReplay()
    service = serve(replay)
    service.stop()
    assert replay.gone.is_set()
    assert service.policy_control.view().fit.state == "cancelled"


def test_the_question_survives_the_way_to_another_process(serve):
    replay = FakeReplay()
    serve(replay, pools=(CPU, GPU))
    (question,) = replay.asked
    assert type(question).of(question.json()) == question
    assert replace(question, starvation_s=None).json()["starvation_s"] is None
