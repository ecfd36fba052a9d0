"""Runs the simulator as a process: `python -m simulator --help`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from simulator import (
    Credentials,
    Fault,
    IdentityEndpoint,
    Lateness,
    Phase,
    Simulator,
    Switches,
    Tenant,
    TlsFiles,
)
from simulator.faults import KINDS
from simulator.likeness import Likeness, read
from simulator.server import wall_clock
from simulator.tenant import arrivals_as_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Simulate the Activities API on loopback. Once it listens, it prints its address as one line of
JSON; it serves until SIGINT or SIGTERM. Two paths need no authentication and answer with JSON
lines: GET /simulator/truth lists every activity and when it is first shown, and GET
/simulator/requests lists every request that the simulator received.
"""


_COUNT = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a generated tenant until stopped; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.certificate) is not bool(options.key):
        parser.error("--certificate and --key must be given together")
    try:
        like = read(options.like) if options.like else None
        switches = _switches(options, like)
        faults = [*(like.faults if like else ()), *map(Fault.parse, options.fault)]
        phases = [Phase.parse(text) for text in options.phase]
        tenant = _tenant(options, like)
    except ValueError as problem:
        parser.error(str(problem))
    if options.print_truth_only:
        _write_truth(tenant, switches, options.truth or "-")
        return 0
    _serve(options, tenant, switches, faults, phases)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description=_DESCRIPTION,
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_server_options(parser)
    _add_tenant_options(parser)
    _add_behaviour_options(parser)
    return parser


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    group.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    group.add_argument(
        "--port", type=int, default=0, help="port to listen on (default: a free one)"
    )
    group.add_argument("--certificate", metavar="PEM", help="serve https with this certificate")
    group.add_argument("--key", metavar="PEM", help="the certificate's private key")
    group.add_argument(
        "--token",
        action="append",
        metavar="HEX",
        help="a valid legacy token; repeatable (default: a fixed one)",
    )
    group.add_argument("--anonymous", action="store_true", help="accept any credential, or none")
    group.add_argument(
        "--identity", action="store_true", help="also serve a managed-identity endpoint"
    )


def _add_tenant_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("tenant")
    group.add_argument("--seed", type=int, default=0, help="decides everything random (default: 0)")
    group.add_argument(
        "--count",
        type=int,
        help=f"number of activities (default: {_COUNT}, or as many as the transcript states)",
    )
    group.add_argument(
        "--per-second",
        type=float,
        help="average number of activities per second (default: 1, or as the transcript states)",
    )
    group.add_argument(
        "--until", type=_moment, default="now", metavar="TIME",
        help="end of the history: epoch ms, ISO 8601, or now (default)",
    )  # fmt: skip
    group.add_argument(
        "--record-size",
        type=int,
        metavar="BYTES",
        help="size of a record (default: a mixture of 3 to 6 KB)",
    )
    group.add_argument(
        "--late-share", type=float, metavar="SHARE",
        help="share of activities that are saved 1 to 72 hours late (default: 0, or as the "
        "transcript tells)",
    )  # fmt: skip
    group.add_argument(
        "--truth",
        metavar="FILE",
        help="write every identity and when it is first shown to a file, or - for standard output",
    )
    group.add_argument(
        "--print-truth-only", action="store_true",
        help="only write the truth (by default to standard output), and exit",
    )  # fmt: skip


def _add_behaviour_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("behaviour")
    group.add_argument(
        "--like", type=Path, metavar="FILE",
        help="behave as the API and the tenant of a transcript that `python -m shared doctor "
        "--transcript FILE` wrote; every other option overrides it",
    )  # fmt: skip
    group.add_argument("--latency", metavar="SECONDS", help="latency of every answer (default: 0)")
    group.add_argument(
        "--page-cap",
        metavar="N",
        help="maximum number of records on a page of a scan (default: 5000)",
    )
    group.add_argument(
        "--throttle",
        metavar="N",
        help="requests per minute, or none for no limit (default: 30)",
    )
    group.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE",
        help="set any other switch; repeatable; see simulator/switches.py",
    )  # fmt: skip
    group.add_argument(
        "--fault", action="append", default=[], metavar="KIND[=VALUE]:FIRST[-[LAST]]",
        help="inject a fault into these requests; repeatable",
    )  # fmt: skip
    group.add_argument(
        "--phase", action="append", default=[], metavar="NAME=VALUE:FIRST[-[LAST]]",
        help="set a switch for these requests only; repeatable; the last one takes precedence",
    )  # fmt: skip


def _epilog() -> str:
    width = max(map(len, KINDS))
    kinds = "\n".join(f"  {name:{width}}  {meaning}" for name, meaning in KINDS.items())
    defaults = asdict(Switches())
    names = "\n".join(f"  {name}={_shown(value)}" for name, value in defaults.items())
    return (
        f"switches and their defaults (explained in simulator/switches.py):\n{names}\n\n"
        f"kinds of faults:\n{kinds}\n\n"
        "examples:\n"
        "  python -m simulator --port 8080 --seed 7 --count 10000 --per-second 2 --page-cap 500\n"
        "  python -m simulator --fault status=503:3-5 --fault reset:1-:probability=0.1\n"
        "  python -m simulator --phase tail_drop=none:1-20:probability=0.3:seed=4\n"
        "  python -m simulator --like transcript.json --throttle none\n"
    )


def _shown(value: object) -> str:
    return "" if isinstance(value, frozenset) else str(value).lower()


def _switches(options: argparse.Namespace, like: Likeness | None) -> Switches:
    shorthands = {
        "latency_seconds": options.latency,
        "page_cap": options.page_cap,
        "throttle_per_minute": options.throttle,
    }
    texts = {name: text for name, text in shorthands.items() if text is not None}
    for given in options.switch:
        name, equals, text = given.partition("=")
        if not equals:
            message = f"The switch {given!r} is not NAME=VALUE."
            raise ValueError(message)
        texts[name.replace("-", "_")] = text
    told = like.switches if like else {}
    return Switches(seed=options.seed, **told).with_texts(texts)


def _tenant(options: argparse.Namespace, like: Likeness | None) -> Tenant:
    usual, late = like.lateness if like else Lateness(), options.late_share
    per_second = like.per_second if like else 1.0
    return Tenant.generate(
        seed=options.seed,
        count=(like.count if like else _COUNT) if options.count is None else options.count,
        per_second=per_second if options.per_second is None else options.per_second,
        until_ms=options.until,
        lateness=usual if late is None else Lateness(late_share=late),
        record_size=options.record_size,
    )


def _moment(text: str) -> int:
    """Parse a time: `now`, epoch ms, or ISO 8601 (UTC by default)."""
    if text == "now":
        return wall_clock()
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is neither now, nor epoch ms, nor ISO 8601"
        raise argparse.ArgumentTypeError(message) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _write_truth(tenant: Tenant, switches: Switches, target: str) -> None:
    text = arrivals_as_lines(tenant.arrivals(jitter_ms=switches.visibility_jitter_ms))
    if target == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        Path(target).write_text(text, encoding="utf-8")


def _serve(
    options: argparse.Namespace,
    tenant: Tenant,
    switches: Switches,
    faults: Sequence[Fault],
    phases: Sequence[Phase],
) -> None:
    told_to_stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_stop.set())
    credentials = Credentials(options.token, anonymous=options.anonymous)
    tls = TlsFiles(options.certificate, options.key) if options.certificate else None
    if options.truth not in {None, "-"}:
        _write_truth(tenant, switches, options.truth)
    with ExitStack() as serving:
        api = serving.enter_context(
            Simulator(
                tenant,
                switches=switches,
                faults=faults,
                phases=phases,
                credentials=credentials,
                host=options.host,
                port=options.port,
                tls=tls,
            )
        )
        started = {"url": api.url, "token": credentials.token, "activities": len(tenant)}
        if options.identity:
            identity = serving.enter_context(IdentityEndpoint(host=options.host))
            started |= {"identity_endpoint": identity.url, "identity_header": identity.header}
        sys.stdout.write(json.dumps(started) + "\n")
        sys.stdout.flush()
        if options.truth == "-":
            _write_truth(tenant, switches, "-")
        told_to_stop.wait()


if __name__ == "__main__":
    sys.exit(main())
