"""From a record and a person's consent to the tokens that a test is made with, or to why there are none."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from integration_hub.auth.flow import CredentialProblem
from integration_hub.auth.tokens import Acquisition
from integration_hub.credentials.record import Ending
from integration_hub.model import conditions as c
from integration_hub.model.base import AUTHORIZE_ANNOTATION
from integration_hub.model.instance import Authorization
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.model.tokens import Tokens
from integration_hub.reconcile.consent import Consent
from integration_hub.reconcile.execute import Exchanges
from integration_hub.reconcile.inputs import Answer, Effect, Inputs, Postponed
from integration_hub.reconcile.keeper import LOST_PAUSE, Keeper, Renewal
from integration_hub.reconcile.times import parse_timestamp


@dataclass(frozen=True, slots=True)
class Kept:
    """How an instance's tokens stand: one of the first four is set, none before they were looked at."""

    tokens: Tokens | None = None
    """To test and to be used with."""
    problem: CredentialProblem | None = None
    """Why there are none."""
    failed: Exchanges | None = None
    """Requests for tokens that went wrong, where there are none to go on with."""
    said: str = ""
    """What the method says of them."""
    postponed: Postponed | None = None
    is_candidate: bool = False
    """Whether `tokens` take the place of those in use only once they were tested."""
    authorization: Authorization | None = None
    """What a person is shown."""


def keep_tokens(keeper: Keeper, consent: Consent) -> Generator[Effect, Answer, Kept]:
    """Bring tokens up to date: take what a browser has brought, obtain, renew, or ask a person."""
    problem = yield from keeper.read()
    if problem is not None and not keeper.begin_anew(problem):
        return Kept(problem=problem)
    trouble: Renewal | None = None
    if keeper.inputs.consent is not None:
        trouble = yield from consent.take(keeper.inputs.consent)
    elif keeper.rules.acquisition is Acquisition.DEVICE:
        trouble = yield from consent.poll()
    if trouble is not None and trouble.problem is not None:
        return Kept(problem=trouble.problem)
    if trouble is not None and not keeper.lasts:
        # A code was refused for what no person can mend at it: another one would be, too.
        return _outcome(keeper, trouble)
    candidate = keeper.record.candidate
    if candidate is not None and candidate.grant == keeper.rules.grant:
        return Kept(candidate, is_candidate=True)
    return (yield from go_on(keeper, consent))


def keep_alive(keeper: Keeper) -> Generator[Effect, Answer, Kept | None]:
    """Renew the tokens in use where that is due; return how one goes on with them, None where one cannot."""
    trouble = (yield from keeper.renew()) if keeper.due() else None
    return _outcome(keeper, trouble) if keeper.lasts else None


def go_on(keeper: Keeper, consent: Consent) -> Generator[Effect, Answer, Kept]:
    """Bring tokens up to date according to the record as it is now."""
    if keeper.rules.acquisition is Acquisition.BY_ITSELF:
        return (yield from _by_itself(keeper, consent))
    return (yield from _with_consent(keeper, consent))


def _by_itself(keeper: Keeper, consent: Consent) -> Generator[Effect, Answer, Kept]:
    """Obtain or renew tokens for which nobody has to be asked."""
    ended = keeper.ending
    if ended is not None and consent.wanted is None:
        return Kept(problem=CredentialProblem(_reason(ended), ended.message))
    if keeper.tokens is None and keeper.is_spent and consent.wanted is None:
        return Kept(problem=CredentialProblem(Reason.REAUTHENTICATION_REQUIRED, _SPENT))
    trouble: Renewal | None = None
    # Where obtaining uses up what the Secret has, that is of no use once there are tokens.
    is_used_up = keeper.rules.consumes and keeper.tokens is not None
    if keeper.tokens is None or (consent.wanted is not None and not is_used_up):
        trouble = yield from keeper.obtain()
    elif consent.wanted is not None or keeper.due():
        trouble = yield from keeper.renew()
    if consent.wanted is not None:
        trouble = yield from consent.settle(trouble)
    return _outcome(keeper, trouble)


_SPENT = (
    "The refresh token in the Secret was used before: for another client or address, or before another one took its"
    " place. To send it again could be taken for theft. Where that change is undone, what came of it is used again."
)


def _with_consent(keeper: Keeper, consent: Consent) -> Generator[Effect, Answer, Kept]:
    """Renew tokens that a person has consented to, or ask for consent."""
    trouble: Renewal | None = None
    if keeper.due():
        trouble = yield from keeper.renew()
    lasting = keeper.lasts
    if lasting and consent.wanted is None:
        return _outcome(keeper, trouble)
    unable = yield from consent.offer()
    if lasting:
        # The tokens in use stay in use while a person is asked for new ones, or cannot be.
        if unable is not None:
            yield from consent.settle(unable)
        return _with(_outcome(keeper, trouble), consent.shown())
    if unable is not None:
        return _outcome(keeper, unable)
    shown = consent.shown()
    return Kept(problem=awaiting(keeper), authorization=shown)


def _outcome(keeper: Keeper, trouble: Renewal | None) -> Kept:
    """Go on with the tokens in use where they still live, whatever has come of renewing them."""
    if keeper.usable is not None:
        return Kept(keeper.usable)
    if trouble is not None and trouble.problem is not None:
        return Kept(problem=trouble.problem)
    if trouble is None:
        # They have ended, and it is too early to ask for others: an answer was lost a moment ago.
        return Kept(postponed=Postponed(LOST_PAUSE.total_seconds()))
    if trouble.exchanges is not None:
        return Kept(failed=trouble.exchanges, said=trouble.said)
    return Kept(postponed=trouble.postponed or Postponed(LOST_PAUSE.total_seconds()))


def _with(kept: Kept, shown: Authorization | None) -> Kept:
    return replace(kept, authorization=shown)


def _is_of_now(keeper: Keeper) -> bool:
    """Tell whether the stored tokens were granted for what is asked for now."""
    tokens = keeper.record.tokens
    return tokens is not None and tokens.grant == keeper.rules.grant


def awaiting(keeper: Keeper) -> CredentialProblem:
    """Return why a person is asked.

    The link itself stands in status.authorization alone: messages become Events and lines of logs, which are kept and
    sent elsewhere, and whoever has a link can consent with it.
    """
    reason, because = Reason.AUTHORIZATION_REQUIRED, "A person must consent to this connection."
    record, is_of_now = keeper.record, _is_of_now(keeper)
    refusal, ending = keeper.refusal, keeper.ending
    if refusal is not None and (ending is None or ending.at <= refusal.at):
        reason, because = _reason(refusal, Reason.AUTHORIZATION_FAILED), refusal.message
    elif ending is not None:
        # It came last: a new consent that failed while this one was in use is not why nothing is.
        reason, because = _reason(ending), ending.message
    elif record.tokens is not None and is_of_now:
        reason = Reason.REAUTHENTICATION_REQUIRED
        because = "The token has ended, and the external system has given none to renew it with."
    elif record.tokens is not None:
        because = "The client, its scopes or an address have changed, so a person must consent anew."
    return CredentialProblem(reason, because)


def _reason(ending: Ending, otherwise: Reason = Reason.REAUTHENTICATION_REQUIRED) -> Reason:
    """Return the reason; another one for what only another version of the operator says of credentials."""
    known = Reason(ending.reason) if ending.reason in set(Reason) else otherwise
    return known if c.CREDENTIALS_AVAILABLE in REASONS[known].conditions else otherwise


def has_token_work(inputs: Inputs) -> bool:
    """Tell whether tokens need attention although no test is due: told by the status, without opening the record."""
    status, now = inputs.instance.status, inputs.now
    shown = status.authorization
    return (
        inputs.consent is not None
        or _is_renewal_due(inputs)
        or (inputs.awaited_at is not None and inputs.awaited_at <= now)
        or (shown is not None and (inputs.first_look or shown.user_code is not None))
        or (shown is not None and _is_over(shown.expires_at, now))
        or _has_vanished(inputs)
        or (is_wished(inputs) and shown is None)
    )


def _is_renewal_due(inputs: Inputs) -> bool:
    """Tell whether tokens are to be renewed ahead of their end, or have ended and nobody has seen to that.

    Once they have ended, and it was tried in vain, tests are made as seldom as with any other trouble, and each tries
    it again. Tokens that live too short for anything to be done ahead are renewed when a test needs them, too, unless
    workloads need them.
    """
    credential, now = inputs.instance.status.credential, inputs.now
    renews_at = parse_timestamp(credential.renews_at) if credential is not None else None
    ends_at = parse_timestamp(credential.expires_at) if credential is not None else None
    if ends_at is None or ends_at > now or (renews_at is not None and renews_at > now):
        return renews_at is not None and renews_at <= now
    is_too_short = renews_at is not None and renews_at > ends_at and inputs.instance.spec.binding is None
    return inputs.instance.status.last_test_result == "Success" and not is_too_short


def _has_vanished(inputs: Inputs) -> bool:
    """Tell whether what was stored is not there any more: somebody has deleted it."""
    status = inputs.instance.status
    had = status.authorization is not None or (
        status.credential is not None and status.credential.id is not None
    )
    return inputs.record_version is None and had


def is_wished(inputs: Inputs) -> bool:
    """Tell whether a person has asked to authorise anew, and that was not seen to."""
    wanted = inputs.instance.metadata.annotations.get(AUTHORIZE_ANNOTATION)
    return bool(wanted) and wanted != inputs.instance.status.last_handled_authorize


def _is_over(moment: str, now: datetime) -> bool:
    parsed = parse_timestamp(moment)
    return parsed is None or parsed <= now


def next_poll(keeper: Keeper, shown: Authorization | None) -> datetime | None:
    """Return when to ask again whether a person has typed the code; the status tells of everything else."""
    device = keeper.record.device
    if shown is None or device is None or device.next_poll is None:
        return None
    return max(device.next_poll, keeper.inputs.now + timedelta(seconds=1))
