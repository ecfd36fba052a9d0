"""Run the simulator as a process of its own: `python -m simulator --help`."""

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
from simulator.server import wall_clock
from simulator.tenant import arrivals_as_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
The Activities API on loopback. Prints one JSON line with its address once it listens, and
serves until SIGINT or SIGTERM. GET /simulator/truth names every activity that it holds and when
it is shown first, and GET /simulator/requests every request that it received, as JSON lines,
without authentication.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a generated tenant until told to stop; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.certificate) is not bool(options.key):
        parser.error("--certificate and --key belong together")
    try:
        switches = _switches(options)
        faults = [Fault.parse(text) for text in options.fault]
        phases = [Phase.parse(text) for text in options.phase]
        tenant = _tenant(options)
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
        help="a valid legacy token; repeatable (default: made up)",
    )
    group.add_argument(
        "--anonymous", action="store_true", help="let everybody in, whatever they send"
    )
    group.add_argument(
        "--identity", action="store_true", help="offer a managed-identity endpoint as well"
    )


def _add_tenant_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("tenant")
    group.add_argument("--seed", type=int, default=0, help="decides everything random (default: 0)")
    group.add_argument(
        "--count", type=int, default=10_000, help="activities (default: %(default)s)"
    )
    group.add_argument(
        "--per-second",
        type=float,
        default=1.0,
        help="activities in a second on average (default: 1)",
    )
    group.add_argument(
        "--until", type=_moment, default="now", metavar="TIME",
        help="where the history ends: epoch ms, ISO 8601, or now (default)",
    )  # fmt: skip
    group.add_argument(
        "--record-size",
        type=int,
        metavar="BYTES",
        help="size of a record (default: 3 to 6 KB, mixed)",
    )
    group.add_argument(
        "--late-share", type=float, default=0.0, metavar="SHARE",
        help="share of activities that are saved 1 to 72 hours late (default: 0)",
    )  # fmt: skip
    group.add_argument(
        "--truth",
        metavar="FILE",
        help="write every identity, and when it is shown first, as JSON lines to a file or to -",
    )
    group.add_argument(
        "--print-truth-only", action="store_true",
        help="write the truth (to standard output unless --truth says otherwise) and exit",
    )  # fmt: skip


def _add_behaviour_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("behaviour")
    group.add_argument(
        "--latency", metavar="SECONDS", help="how long every answer takes (default: 0)"
    )
    group.add_argument(
        "--page-cap", metavar="N", help="records in a scan page at most (default: 5000)"
    )
    group.add_argument(
        "--throttle",
        metavar="N",
        help="requests in a minute, or none for no throttle (default: 30)",
    )
    group.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE",
        help="set any other switch; repeatable; see simulator/switches.py",
    )  # fmt: skip
    group.add_argument(
        "--fault", action="append", default=[], metavar="KIND[=VALUE]:FIRST[-[LAST]]",
        help="let something go wrong on these requests; repeatable",
    )  # fmt: skip
    group.add_argument(
        "--phase", action="append", default=[], metavar="NAME=VALUE:FIRST[-[LAST]]",
        help="set a switch for these requests only; repeatable; the last one wins",
    )  # fmt: skip


def _epilog() -> str:
    width = max(map(len, KINDS))
    kinds = "\n".join(f"  {name:{width}}  {meaning}" for name, meaning in KINDS.items())
    defaults = asdict(Switches())
    names = "\n".join(f"  {name}={_shown(value)}" for name, value in defaults.items())
    return (
        f"switches and their defaults (simulator/switches.py says what they do):\n{names}\n\n"
        f"kinds of faults:\n{kinds}\n\n"
        "examples:\n"
        "  python -m simulator --port 8080 --seed 7 --count 10000 --per-second 2 --page-cap 500\n"
        "  python -m simulator --fault status=503:3-5 --fault reset:1-:probability=0.1\n"
        "  python -m simulator --phase tail_drop=none:1-20:probability=0.3:seed=4\n"
    )


def _shown(value: object) -> str:
    return "" if isinstance(value, frozenset) else str(value).lower()


def _switches(options: argparse.Namespace) -> Switches:
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
    return Switches(seed=options.seed).with_texts(texts)


def _tenant(options: argparse.Namespace) -> Tenant:
    return Tenant.generate(
        seed=options.seed,
        count=options.count,
        per_second=options.per_second,
        until_ms=options.until,
        lateness=Lateness(late_share=options.late_share),
        record_size=options.record_size,
    )


def _moment(text: str) -> int:
    """Read a time: `now`, epoch ms, or ISO 8601 (UTC unless it says otherwise)."""
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
