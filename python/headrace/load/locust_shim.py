"""Runs a Locust file under the Locust of the user's interpreter, and counts what its events say.

Locust is used as a library: its environment, its local runner, its own way to read a file and a command line. Nothing here may be
imported before it that imports socket, ssl or threading: Locust has gevent patch them first.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
from importlib import import_module
from typing import Any, Dict, List, Optional, Tuple

from .link import Link
from .meter import Meter
from .plan import Plan

EXIT_FAILED = 3

_BY_NAME = {
    "CatchResponseError": "check",
    "ResponseError": "check",
    "HTTPError": "status",
    "BadStatusCode": "status",
    "ConnectTimeout": "connect_timeout",
    "ConnectTimeoutError": "connect_timeout",
    "ReadTimeout": "timeout",
    "ReadTimeoutError": "timeout",
    "Timeout": "timeout",
    "timeout": "timeout",
    "TimeoutError": "timeout",
    "SSLError": "tls",
    "SSLCertVerificationError": "tls",
    "RemoteDisconnected": "closed",
    "HTTPConnectionClosed": "closed",
    "IncompleteRead": "cut",
    "ChunkedEncodingError": "cut",
    "BadStatusLine": "malformed",
    "HTTPParseError": "malformed",
    "AssertionError": "check",
    "NameResolutionError": "connect",
    "gaierror": "connect",
}


class _Unusable(Exception):
    """The file cannot be run. The text is for a person."""


def run(plan: Plan, link: Link) -> int:
    """Run the plan to its end. The exit status: 0, or 3 when it could not be begun."""
    try:
        if plan.model != "closed":
            raise _Unusable("Locust's users wait for their answers: a Locust file runs in a closed loop, with --users.")
        locust = _import_locust()
        environment = _prepare(plan, locust)
    except _Unusable as error:
        link.fail(str(error))
        return EXIT_FAILED
    shim = _Shim(plan, link, environment)
    try:
        shim.run()
    except BaseException:  # noqa: BLE001  whatever ends a run has to be told
        link.note(f"Locust ended early.\n{traceback.format_exc().rstrip()}")
        return _leave(1)
    link.send({"type": "done"})
    return _leave(0)


def _import_locust() -> Any:
    try:
        return import_module("locust")
    except ImportError as error:
        if error.name == "locust":
            raise _Unusable(
                f"{sys.executable} has no Locust, which this file needs: {sys.executable} -m pip install locust, "
                "or name another interpreter with --python."
            ) from error
        raise _Unusable(f"Locust cannot be imported by {sys.executable}.\n{traceback.format_exc().rstrip()}") from error


def _prepare(plan: Plan, locust: Any) -> Any:
    """Locust's environment with its runner, as its own command makes them."""
    path = os.path.abspath(plan.file)
    arguments = ["-f", path, "--headless", "--users", str(plan.users)]
    if plan.host is not None:
        arguments += ["--host", plan.host]
    arguments += plan.arguments
    sys.argv = ["locust", *arguments]
    try:
        loaded = _loader()(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _Unusable(f"{plan.file} could not be loaded.\n{_trace_of(error, path)}") from error
    users, shape = _found(loaded)
    if not users:
        raise _Unusable(f"{plan.file} has no class derived from a User of Locust.")
    try:
        options = import_module("locust.argument_parser").get_parser().parse_args(arguments)
    except SystemExit as error:
        raise _Unusable("Locust does not take these arguments: " + " ".join(arguments)) from error
    asked = list(getattr(options, "user_classes", None) or users)
    unknown = [name for name in asked if name not in users]
    if unknown:
        raise _Unusable(f"{plan.file} has no user {', '.join(unknown)}.")
    level = "WARNING" if options.loglevel == "INFO" else options.loglevel
    import_module("locust.log").setup_logging(level, options.logfile)
    # What tasks raise is counted and told here, once each; Locust would write all of it.
    for name in ("locust.user.task", "locust.user.users"):
        import_module("logging").getLogger(name).setLevel("CRITICAL")
    environment = import_module("locust.env").Environment(
        user_classes=[users[name] for name in asked],
        shape_class=None if shape is None else _divided(shape, plan),
        tags=options.tags,
        exclude_tags=options.exclude_tags,
        events=locust.events,
        host=options.host,
        parsed_options=options,
    )
    runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    return environment


def _loader() -> Any:
    """Locust's own function that reads a file; it has moved."""
    try:
        return import_module("locust.util.load_locustfile").load_locustfile
    except ImportError:
        return import_module("locust.main").load_locustfile


def _found(loaded: Tuple[Any, ...]) -> Tuple[Dict[str, Any], Optional[Any]]:
    """Users and shape among what load_locustfile returns, which differs from version to version."""
    users: Dict[str, Any] = next((each for each in loaded if isinstance(each, dict)), {})
    shapes: List[Any] = next((each for each in loaded if isinstance(each, list)), [])
    single = next((each for each in loaded if callable(getattr(each, "tick", None))), None)
    shape = shapes[0] if shapes else single
    return users, shape() if isinstance(shape, type) else shape


def _share(whole: float, plan: Plan) -> int:
    """The part of so many users that this process has."""
    users = int(whole)
    return users // plan.shard_count + (1 if plan.shard_index < users % plan.shard_count else 0)


def _divided(shape: Any, plan: Plan) -> Any:
    """Lets a shape, which speaks of the users of the whole run, rule this process's part of them."""
    whole = shape.tick

    def tick() -> Any:
        wanted = whole()
        if wanted is None:
            return None
        users, rate, *rest = wanted
        return (_share(users, plan), max(rate / plan.shard_count, 0.01), *rest)

    shape.tick = tick
    return shape


class _Shim:
    """Between Locust's events and the coordinator."""

    def __init__(self, plan: Plan, link: Link, environment: Any) -> None:
        gevent = import_module("gevent")
        self._gevent = gevent
        self._plan = plan
        self._link = link
        self._environment = environment
        self._runner = environment.runner
        self._meter = Meter()
        self._start = 0.0
        self._at = import_module("gevent.event").AsyncResult()
        self._over = import_module("gevent.event").AsyncResult()
        self._inbox: List[Dict[str, Any]] = []
        # The one thing of gevent's loop that another thread may touch.
        self._bell = gevent.get_hub().loop.async_()
        self._bell.start(self._read)
        environment.events.request.add_listener(self._on_request)
        environment.events.user_error.add_listener(self._on_error)

    def run(self) -> None:
        """Wait for the word to go, run, and tick to the end."""
        self._link.listen(self._hear)
        gc.collect()
        gc.freeze()
        self._link.send({"type": "ready"})
        at_ms = self._at.get()
        if at_ms is None:
            return
        plan, runner, environment = self._plan, self._runner, self._environment
        self._start = time.monotonic() + at_ms / 1000 - time.time()
        self._meter.warm_until = self._start + plan.warmup
        if plan.duration is not None:
            self._meter.ends_at = self._start + plan.duration
        self._gevent.sleep(max(0.0, self._start - time.monotonic()))
        ticking = self._gevent.spawn(self._tick)
        if environment.shape_class is not None:
            runner.start_shape()
            # A shape may end the run before its time: then Locust has stopped its users, and there is nothing more to come.
            runner.shape_greenlet.link(lambda _: self._finish(plan.grace))
        else:
            users = _share(plan.users, plan)
            if users > 0:
                rate = plan.spawn_rate / plan.shard_count if plan.spawn_rate else users
                self._gevent.spawn(runner.start, users, spawn_rate=rate)
        if plan.duration is not None:
            left = self._start + plan.duration - time.monotonic()
            self._gevent.spawn_later(max(0.0, left), self._finish, plan.grace)
        environment.stop_timeout = self._over.get()
        runner.stop()
        environment.events.quitting.fire(environment=environment, reverse=True)
        runner.quit()
        quit_event = getattr(environment.events, "quit", None)
        if quit_event is not None:
            quit_event.fire(exit_code=environment.process_exit_code or 0)
        ticking.kill()
        self._say(self._last, max(self._last + 1e-6, time.monotonic() - self._start))

    def _hear(self, message: Dict[str, Any]) -> None:
        self._inbox.append(message)
        self._bell.send()

    def _read(self) -> None:
        while self._inbox:
            message = self._inbox.pop(0)
            if message["type"] == "go":
                self._at.set(message["at"])
            elif message["type"] == "finish":
                self._finish(message["graceMs"] / 1000)
                if not self._at.ready():
                    self._at.set(None)

    def _finish(self, grace: float) -> None:
        if not self._over.ready():
            self._meter.ends_at = min(self._meter.ends_at, time.monotonic())
            self._over.set(grace)

    _last = 0.0

    def _tick(self) -> None:
        plan = self._plan
        while True:
            boundary = float(int(self._last + 1e-9) + 1)
            if self._last < plan.warmup < boundary:
                boundary = plan.warmup
            if plan.duration is not None and self._last < plan.duration <= boundary:
                boundary += 1.0
            self._gevent.sleep(max(0.0, self._start + boundary - time.monotonic()))
            now = time.monotonic() - self._start
            if now >= boundary + 1:
                boundary = float(int(now))
            self._say(self._last, boundary)
            self._last = boundary

    def _say(self, last: float, now: float) -> None:
        meter = self._meter
        # Locust tells of requests when they have ended.
        meter.begin_what_ended()
        meter.users = self._runner.user_count
        for tick in meter.ticks(now, now - last, now <= self._plan.warmup):
            self._link.send(tick)

    def _on_request(
        self,
        request_type: str,
        name: str,
        response_time: Optional[float],
        response_length: Optional[int],
        exception: Optional[BaseException] = None,
        response: Any = None,
        **_: Any,
    ) -> None:
        meter = self._meter
        end = time.monotonic()
        due = end - (response_time or 0.0) / 1000
        status = getattr(response, "status_code", None)
        failure = None if exception is None else failure_of(exception, status)
        if isinstance(status, int) and status >= 100:
            meter.book(due).status(status)
        meter.bytes_in += int(response_length or 0)
        title = f"{request_type} {name}"
        outcome = meter.ended(title, due, failure, end)
        if outcome.us is not None:
            outcome.book.service.record(outcome.us)
        meter.settle(outcome)
        if exception is not None:
            self._link.note(f"{title}: {exception}", f"{failure} {title}")

    def _on_error(self, user_instance: Any, exception: BaseException, tb: Any, **_: Any) -> None:
        # The listener is given the user or one of its sets of tasks, by where it was raised.
        owner = getattr(user_instance, "user", user_instance)
        title = f"exception in {type(owner).__name__}"
        # It belongs to no request, yet a run whose tasks all raise is not one without failures.
        self._meter.failed_untimed(title, "check" if isinstance(exception, AssertionError) else "exception")
        text = _trace_of(exception.with_traceback(tb), os.path.abspath(self._plan.file))
        self._link.note(f"{type(owner).__name__} raised an exception.\n{text}", f"{title} {type(exception)} {_line(tb)}")


def failure_of(exception: BaseException, status: Any) -> str:
    """The word of the contract for what Locust took for a failure."""
    seen: List[BaseException] = []
    rest: List[Any] = [exception]
    while rest:
        one = rest.pop(0)
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        # requests wraps urllib3, which wraps the system's own error.
        rest += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    if any(isinstance(one, ConnectionRefusedError) for one in seen):
        return "refused"
    if any(isinstance(one, ConnectionResetError) and type(one).__name__ != "RemoteDisconnected" for one in seen):
        return "reset"
    for one in seen:
        for kind in type(one).__mro__:
            if kind.__name__ in _BY_NAME:
                return _BY_NAME[kind.__name__]
    if isinstance(status, int) and status >= 400:
        return "status"
    return "connect" if any(isinstance(one, OSError) for one in seen) else "exception"


def _line(trace: Any) -> str:
    frames = traceback.extract_tb(trace)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _trace_of(error: BaseException, path: str) -> str:
    """The traceback from the file's own first frame on; all of it when there is none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != path:
        trace = trace.tb_next
    trace = trace or (None if isinstance(error, SyntaxError) else error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def _leave(status: int) -> int:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)
