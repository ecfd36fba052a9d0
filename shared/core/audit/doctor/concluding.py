"""What was tried and seen → the result, and its checks of the API and of clocks."""

from collections.abc import Callable, Sequence
from statistics import median_low

from shared.core.audit.doctor.advising import findings, recommended
from shared.core.audit.doctor.measuring import measured
from shared.core.audit.doctor.probing import REQUESTS_MOST, Probing
from shared.core.audit.doctor.questions import next_question
from shared.core.audit.doctor.reports import Check, CheckResult, Examination
from shared.core.clocks import noticeably_apart, too_far_apart
from shared.core.model import SECOND_MS

Accepted = Callable[[dict[str, str]], dict[str, str]]
"""Returns those of some proposed settings that the program accepts."""

CLOCKS = "see docs/runbook.md#clocks-differ"


AGREES = "it agrees with the local clock"


def concluded(
    probing: Probing, checks: Sequence[Check], *, label: str, program: str, accepted: Accepted
) -> Examination:
    """Return the result of an examination.

    Args:
        probing: what was asked and seen.
        checks: of everything that is not the API.
        label: what asked for it; empty on a command line.
        program: version of this program.
        accepted: keeps what the reader of settings accepts.
    """
    facts = measured(probing)
    return Examination(
        program=program,
        label=label,
        scan=probing.policy.scan,
        made=probing.now,
        requests=len(probing.seen),
        checks=(*checks, _answers(probing), _query(probing), _api_clock(probing), _asked(probing)),
        findings=findings(facts, probing.policy),
        settings=accepted(recommended(facts, probing.policy)),
        facts=facts,
    )


def _answers(probing: Probing) -> Check:
    """Return whether the API answers this identity at all."""
    if probing.refusal is not None:
        return Check(name="API", result="failed", reason=probing.refusal.said)
    if any(it.is_page for it in probing.seen):
        return Check(name="API", result="passed", reason="it answers this identity")
    said = next((it.said for it in reversed(probing.seen) if it.said), "nothing was asked")
    return Check(name="API", result="could not tell", reason=f"it gave no page: {said}")


def _query(probing: Probing) -> Check:
    """Return whether the API accepts the scan's own query."""
    seen = probing.last("as the scan asks")
    name = "query of the scan"
    if seen is not None and seen.is_page:
        reason = f"the newest settled hour has {seen.exchange.records:,} activities on its page"
        return Check(name=name, result="passed", reason=reason)
    if not probing.is_unaccepted("as the scan asks"):
        return Check(name=name, result="could not tell", reason="the API did not answer it")
    if probing.policy.filters and probing.base and not measured(probing).refused:
        reason = "the API accepts a query without SCAN_FILTERS, but not with them: check them"
        return Check(name=name, result="failed", reason=reason)
    reason = "the API does not accept all of its options; the scan then asks with fewer"
    return Check(name=name, result="could not tell", reason=reason)


def _api_clock(probing: Probing) -> Check:
    """Return whether the API's clock agrees, by the usual one of its answers."""
    said = [it.ahead for it in probing.seen if it.ahead is not None]
    if not said:
        reason = "no answer stated a Date"
        return Check(name="clock of the API", result="could not tell", reason=reason)
    ahead = median_low(said)
    result: CheckResult = "failed" if too_far_apart(ahead) else "passed"
    reason = f"{_apart(ahead)}: {CLOCKS}" if noticeably_apart(ahead) else AGREES
    return Check(name="clock of the API", result=result, reason=reason)


def check_local_clock(skew: int, *, is_known: bool) -> Check:
    """Return whether the local clock agrees with the storage service's.

    Args:
        skew: local clock minus the service's, in ms.
        is_known: whether the service stated its time.
    """
    if not is_known:
        reason = "storage did not state its time"
        return Check(name="clock of storage", result="could not tell", reason=reason)
    if noticeably_apart(skew):
        reason = f"{_apart(-skew)}: {CLOCKS}"
        return Check(name="clock of storage", result="failed", reason=reason)
    return Check(name="clock of storage", result="passed", reason=AGREES)


def _apart(ahead: int) -> str:
    where = "ahead of" if ahead > 0 else "behind"
    return f"it is {abs(ahead) // SECOND_MS} s {where} the local clock"


def _asked(probing: Probing) -> Check:
    """Return whether every question was asked."""
    said = f"{len(probing.seen)} of at most {REQUESTS_MOST} requests were sent"
    problem = _unasked(probing)
    result: CheckResult = "could not tell" if problem else "passed"
    return Check(name="questions", result=result, reason=f"{said}; {problem}" if problem else said)


def _unasked(probing: Probing) -> str:
    """Return why something was not answered; empty if everything was."""
    if probing.refusal is not None:
        return "access was refused"
    if next_question(probing) is not None or len(probing.seen) >= REQUESTS_MOST:
        return "not every question was asked"
    asked = {it.asked.question for it in probing.seen}
    open_ones = [it for it in asked if not (probing.page(it) or probing.is_unaccepted(it))]
    return f"{len(open_ones)} questions got no answer" if open_ones else ""
