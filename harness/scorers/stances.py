"""What a message says about handing over to people, by the rules and by the model together.

The rules (:mod:`harness.scorers.handover`) are exact where they know a wording, and silent where they do not;
the model (:mod:`harness.scorers.handover_model`) has an opinion of every message. The logarithms of its
probabilities are added to what the finding of the rules is worth, and the likeliest class counts. Where no
model can be used, the rules decide alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from harness.scorers import handover, handover_model
from harness.scorers import handover_words as words
from harness.scorers.handover import NOTHING, RANK, Act, Stance
from harness.scorers.handover_model import CLASSES, HandoverModel
from harness.text import Span, late

_FOUND, _NOTHING, _DOUBT = 2.5, 1.0, 1.0
"""What it is worth, in logits, that the rules find an act of a class; that most messages say nothing of
people; and that the rules find no promise. Chosen on messages that neither reader had learnt from."""
_MOST_SENTENCES = 50  # of a message, among which that is sought which shows its class
_OWN = late(r"\b(?:i|we|me|us|my|our)\b|^(?:\w+ , )?\w+ing\b|\byou (?:are|will) be(?:ing)? \w+ed\b")
_PENDING = late(r"\b(?:will|shall|need|must|would|have to|let|going|want|allow)\b")
_DONE = late(r"\b(?:i|we) (?:\w+ly |just |now )?(?:have(?! to)|\w+ed)\b|\b(?:has|have) been\b")


def weighed(found: Stance, logits: Sequence[float]) -> Stance:
    """The class that counts.

    Args:
        found: What the rules find.
        logits: What the model gives to each class, in the order of ``CLASSES``.
    """
    worth = dict(zip(CLASSES, logits, strict=True))
    worth["none"] += _NOTHING
    if found != "promises":
        worth["promises"] -= _DOUBT
    if found != "none":
        worth[found] += _FOUND
    return max(CLASSES, key=worth.__getitem__)


def act_of(text: str) -> Act:
    """The act of a whole message: the strongest of its sentences."""
    return handover.strongest(act for _, act in acts_in(text))


@lru_cache(maxsize=1_024)
def acts_in(text: str) -> tuple[tuple[Span, Act], ...]:
    """Each sentence of a message with its act."""
    told = handover.acts_in(text)
    model = handover_model.default() if text.strip() else None
    if model is None:
        return tuple(told)
    found = handover.strongest(act for _, act in told).stance
    stance = weighed(found, model.logits(text))
    return tuple(told if stance == found else _told_anew(told, stance, model))


def _told_anew(
    told: Sequence[tuple[Span, Act]], stance: Stance, model: HandoverModel
) -> list[tuple[Span, Act]]:
    """The sentences, when their strongest act is another: the likeliest has it, none a stronger one."""
    shows = _likeliest([span for span, _ in told], stance, model) if stance != "none" else None
    return [(span, _act(span.text, stance) if span is shows else _at_most(act, stance)) for span, act in told]


def _at_most(act: Act, stance: Stance) -> Act:
    return act if RANK[act.stance] <= RANK[stance] else NOTHING


def _likeliest(spans: Sequence[Span], stance: Stance, model: HandoverModel) -> Span:
    """The sentence that, read alone, is likeliest of this class."""
    return max(spans[:_MOST_SENTENCES], key=lambda span: model.logits(span.text)[CLASSES.index(stance)])


def _act(sentence: str, stance: Stance) -> Act:
    read = words.clausal(sentence)
    pending = bool(_PENDING.search(read)) and not _DONE.search(read)
    return Act(stance, read, own=bool(_OWN.search(read)), pending=pending)
