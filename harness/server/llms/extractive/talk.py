"""The conversation as the reference assistant sees it: turns, follow-ups, remembered facts, small talk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from harness.server.llms.extractive.lexicon import generic_stems
from harness.server.llms.extractive.policy import Policy
from harness.server.llms.interface import ChatMessage, ModelRequest, SearchHit, ToolRequest
from harness.text import content_stems, fold, late, sentences


class Turn(msgspec.Struct, frozen=True):
    """What the user said at one point, and what was answered."""

    user: str
    assistant: str
    called: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """A tool request of the current turn with its output; None while there is none."""

    request: ToolRequest
    output: ChatMessage | None


@dataclass(frozen=True, slots=True)
class Talk:
    """The talk so far: earlier turns, the message to be answered, and what tools did for it."""

    earlier: tuple[Turn, ...]
    said: str
    outcomes: tuple[Outcome, ...]

    @property
    def user_texts(self) -> tuple[str, ...]:
        """Everything the user said, oldest first."""
        return (*(turn.user for turn in self.earlier if turn.user), self.said)

    def outcomes_of(self, kind: str) -> tuple[Outcome, ...]:
        """What tools of this kind did in the current turn."""
        return tuple(outcome for outcome in self.outcomes if outcome.request.kind == kind)

    @property
    def hits(self) -> tuple[SearchHit, ...]:
        """What searches of the current turn found, best first, without repetitions."""
        seen: dict[tuple[str, str], SearchHit] = {}
        for outcome in self.outcomes:
            for hit in outcome.output.hits if outcome.output else ():
                seen.setdefault((hit.filename, hit.text), hit)
        return tuple(seen.values())

    @property
    def last_answer(self) -> str:
        """The assistant's message before the current one; empty at the start."""
        return self.earlier[-1].assistant if self.earlier else ""


def read_talk(request: ModelRequest) -> Talk:
    """The talk that a request's messages hold; user messages in a row count as one."""
    messages = list(request.messages)
    start = _current_start(messages)
    said = "\n".join(m.content for m in messages[start:] if m.role == "user").strip()
    return Talk(tuple(_turns(messages[:start])), said, tuple(_outcomes(messages[start:])))


def _current_start(messages: Sequence[ChatMessage]) -> int:
    """Where the user messages begin that are to be answered now."""
    last = max((index for index, m in enumerate(messages) if m.role == "user"), default=0)
    while last > 0 and messages[last - 1].role == "user":
        last -= 1
    return last


def _turns(messages: Sequence[ChatMessage]) -> Iterator[Turn]:
    user: list[str] = []
    answer: list[str] = []
    called: list[str] = []
    for message in messages:
        if message.role == "user" and (answer or called):
            yield Turn("\n".join(user), "\n".join(answer), tuple(called))
            user, answer, called = [], [], []
        if message.role == "user":
            user.append(message.content)
        elif message.role == "assistant":
            called += [request.name for request in message.tool_requests]
            answer += [message.content] if message.content else []
    if user or answer or called:
        yield Turn("\n".join(user), "\n".join(answer), tuple(called))


def _outcomes(messages: Sequence[ChatMessage]) -> Iterator[Outcome]:
    outputs = {m.answers: m for m in messages if m.role == "tool"}
    for message in messages:
        for request in message.tool_requests:
            yield Outcome(request, outputs.get(request.id))


# --- follow-ups -----------------------------------------------------------------------------------


_POINTS_BACK = late(
    r"\b(?:its?|it's|those|these|this|they|them|their|(?:which|that|this|the|another|other) ones?|"
    r"ones?(?=\s*(?:[?.!]|$))|"
    r"the same|such|the (?:first|second|third|last|other|latter|former)(?: \w+)?|both)\b|"
    r"\bthat\b(?=\s*(?:$|[?.!,]|is|was|will|would|can|does|work|cost|take|mean|include|happen|"
    r"apply|for|in|on|with|too|one|"
    r"also|do|plan|option|step|limit|feature|link|code|time))|(?<!is )(?<!are )(?<!was "
    r")\bthere\b(?!'s| is| are| was| were)"
)
_EXPLETIVE = late(
    r"\bis it (?:possible|true|ok|okay|allowed|correct|necessary|hard|easy|safe)\b|\bit is so\b"
)
_GOES_ON = late(
    r"^(?:and|or|but|so|also|then|what about|how about|what if|what else|anything else|ok(?:ay)?,? "
    r"(?:and|so|but)|"
    r"only|even|which (?:one|ones|of)|how so|really|are you sure|i mean|i meant|for)\b"
)
_BARE_QUESTION = late(r"^(?:why|how long|how much|how many|how often|when|where|who|since when)\b")


def is_follow_up(said: str) -> bool:
    """Whether a message can only be understood with what was said before it."""
    text = _EXPLETIVE.sub(" ", fold(said)).strip()
    own = [part for part in content_stems(text) if part not in generic_stems()]
    if not own or (len(own) == 1 and len(text.split()) <= 2 and text.endswith("?")):
        return True
    if _BARE_QUESTION.match(text) and len(own) <= 1:
        return True
    if _GOES_ON.match(text) and len(own) <= (6 if text.startswith(("and", "what about", "how about")) else 3):
        return True
    return bool(_POINTS_BACK.search(text)) and len(own) <= 8


def points_back(said: str) -> bool:
    """Whether a message points at something named before it."""
    return bool(_POINTS_BACK.search(_EXPLETIVE.sub(" ", fold(said))))


def context_of(talk: Talk, said: str | None = None) -> str:
    """The earlier questions that a message leans on, latest first; empty when it stands alone."""
    if not is_follow_up(talk.said if said is None else said):
        return ""
    taken: list[str] = []
    for turn in reversed(talk.earlier[-4:]):
        if not turn.user or is_small_talk(turn.user):
            continue
        taken.append(turn.user)
        if not is_follow_up(turn.user) or len(taken) == 3:
            break
    return "\n".join(taken)


def topic_of_last_answer(talk: Talk) -> str:
    """The first sentence of the last answer that says something, for follow-ups that point at it."""
    plain = re.sub(r"【[^】]*】", " ", talk.last_answer)
    for span in sentences(plain):
        if len(content_stems(span.text)) >= 4:
            return span.text
    return ""


_OPENING_CLAUSE = late(
    r"^((?:with|on|for|in|if|when|as|since|after|before|at|under|while)\b[^,?]{3,80}),\s+(?=(?:how|"
    r"what|when|where|who|which|why|can|"
    r"do|does|is|are|may|will)\b)",
    re.IGNORECASE,
)


def _pieces(said: str) -> list[str]:
    """The sentences of a message; a clause that opens a question stands for itself."""
    return [
        piece
        for span in sentences(said)
        for piece in (_OPENING_CLAUSE.sub(r"\1.\n", span.text)).split("\n")
        if piece.strip()
    ]


def aside_of(said: str) -> str:
    """What a message tells beside its questions; empty when it only asks or only tells."""
    pieces = _pieces(said)
    asking = [piece for piece in pieces if _ASKS.search(fold(piece))]
    return " ".join(piece for piece in pieces if piece not in asking) if asking else ""


def questions_in(said: str) -> list[str]:
    """The separate questions of a message, at most three; the whole message when it asks none."""
    asked = [piece for piece in _pieces(said) if _ASKS.search(fold(piece))]
    said = " ".join(asked) or said
    pieces = [piece.strip() for piece in _BETWEEN_QUESTIONS.split(said) if piece.strip()]
    asking = [piece for piece in pieces if _ASKS.search(fold(piece))]
    if len(asking) < 2:
        return [said]
    return asking[:3]


_BETWEEN_QUESTIONS = late(
    r"(?<=\?)\s+|(?:,|;)?\s+(?:and|also)\s+(?=(?:also )?(?:how|what|where|when|which|why|who|can i|"
    r"do i|is there|is it|are there|does)\b)",
    re.IGNORECASE,
)
_ASKS = late(
    r"\?\s*$|^(?:and |also )?(?:how|what|where|when|which|why|who|can|do|is|are|does|could|may|"
    r"tell me|explain|will|would|should|has|have|did|which|i (?:want|need|would like) to know|i wonder)\b"
)


# --- what the user told us ------------------------------------------------------------------------


_FACTS = (
    late(
        r"\b[Mm]y (?P<key>[a-z][a-z -]{1,30}?) (?:is|are|was|=|number is)\s?:? (?:called |named |the |"
        r"an? )?(?P<value>[^,;!?\n]{1,60}?)(?=[,;!?\n]|\.(?:\s|$)|$| and (?:I|my|the|it)\b| but\b)"
    ),
    late(
        r"\b(?:I|[Ww]e)(?:'m|’m| am| are|'re|’re) (?:currently |now )?(?:on|using|with|subscribed to) "
        r"(?:the |a |an )?"
        r"(?P<value>[A-Z][\w-]*(?: [A-Z][\w-]*)?)(?: (?P<key>plan|tier|package|subscription|account|"
        r"version|card|membership))?"
    ),
    late(
        r"\b(?:I|[Ww]e|[Oo]urs?)(?:'ve|’ve)? (?:have|has|got|use|bought|own|chose|is) (?:the |a |an "
        r")(?P<value>[A-Z][\w-]*(?: [A-Z][\w-]*)?) "
        r"(?P<key>[a-z]+)"
    ),
    late(
        r"\b(?:on|with|in|using) (?:the |a )(?P<value>[A-Z][\w-]*) (?P<key>plan|tier|package|"
        r"subscription|edition)\b"
    ),
)
_MAIL = late(r"[A-Za-z0-9._%+-]+(?:'[A-Za-z0-9._%+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


def facts_of(talk: Talk) -> dict[str, str]:
    """What the user told about themselves, by its name; a later word corrects an earlier one."""
    facts: dict[str, str] = {}
    for text in talk.user_texts:
        for pattern in _FACTS:
            for match in pattern.finditer(text):
                key = fold(match["key"] or "plan").removeprefix("current ")
                if not key.startswith(("problem", "issue", "question", "concern")):
                    facts[key] = match["value"].strip(" .")
        mail = _MAIL.findall(text)
        if mail:
            facts["email"] = mail[-1]
    return facts


def known_facts_for(talk: Talk, said: str, aside: str = "") -> str:
    """Values of what the message calls mine: "my plan" gives "the Team plan" once the user has said so.

    What the same message tells beside its question counts without a "my".
    """
    facts = facts_of(talk)
    text = fold(said)
    found = [
        f"the {value} {key}"
        for key, value in facts.items()
        if fold(value) not in text
        and key != "email"
        and (
            re.search(rf"\b(?:my|our|mine)\b(?: \w+)? {re.escape(key)}\b", text)
            or (
                aside
                and fold(value) in fold(aside)
                and key in ("plan", "tier", "package", "account", "version")
            )
        )
    ]
    return " ".join(found)


def only_tells(said: str) -> bool:
    """Whether a message tells something about the user and asks for nothing."""
    told = [span.text for span in sentences(said)]
    return bool(told) and all(
        "?" not in sentence
        and re.match(
            r"(?:and |also |so |ok(?:ay)?,? |well,? |by the way,? |fyi,? )*(?:my|i am|i'm|we are|we're|i "
            r"have|we have|i use|we use|our|this is)\b",
            fold(sentence),
        )
        and not re.search(
            r"\b(?:how|what|which|whether|if|why|question|wants?|need|would like|help|looking for|problem|"
            r"wonder\w*|trying|interested)\b",
            fold(sentence),
        )
        for sentence in told
    )


_ASKS_BACK = late(
    r"\b(?:what|which|who|do you (?:remember|know|recall)|can you (?:remember|repeat|recall))\b.*\b(?:my|i)\b"
)
_ASKED = late(
    r"\bwhat (?:did|was) (?:i|my) (?:just )?(?:ask|say|said|want|(?:(?P<first>first|initial)|"
    r"(?P<last>last|previous)) (?:question|message)|"
    r"question)(?: you)?(?: (?P<when>first|at first|before|last|earlier|just now|initially))?"
)


def about_the_talk(talk: Talk) -> str | None:
    """The answer to a question about the conversation itself; None for all other messages."""
    text = fold(talk.said)
    asked = _ASKED.search(text)
    earlier = [turn.user for turn in talk.earlier if turn.user]
    if asked and earlier and "?" in talk.said:
        first = asked["first"] or (asked["when"] or "").endswith(("first", "initially"))
        return f"You asked: “{' '.join((earlier[0] if first else earlier[-1]).split())}”"
    if not _ASKS_BACK.search(text) or len(text.split()) > 14:
        return None
    # A fact of the current message is no memory.
    facts = facts_of(Talk(talk.earlier, "", ()))
    for key, value in facts.items():
        if _asks_for(key, text):
            return f"You told me that your {_spoken(key)} is {value}."
    return None


def _asks_for(key: str, text: str) -> bool:
    name = "e-?mail(?: address)?" if key == "email" else re.escape(key)
    return bool(
        re.search(
            rf"\b(?:what|which)(?:'s| is| was| were| did)?\b.{{0,24}}\b(?:my|i)\b(?: \w+)? "
            rf"{name}\s*(?:again|address|number)?\s*[?.]?$",
            text,
        )
        or re.search(
            rf"\b(?:what|which) {name}\b.{{0,20}}\b(?:i|my|me)\b.{{0,20}}\b(?:on|give|gave|said|say|told|"
            rf"tell|mention\w*|have|use)\b",
            text,
        )
        or re.search(rf"\bremember my {name}\b", text)
    )


def _spoken(key: str) -> str:
    return "e-mail address" if key == "email" else key


# --- small talk -----------------------------------------------------------------------------------


_GREETING = (
    r"(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|dear (?:team|all|"
    r"support)|moin)"
    r"(?:,? (?:there|again|all|team|everyone|everybody|folks|you|friend|support|assistant|bot))*"
)
_THANKS = (
    r"(?:(?:ok|okay|great|perfect|awesome|super|wonderful|good|alright|cool|nice|got it|oh|ah|"
    r"excellent|no|yes|well|fine|brilliant|"
    r"that's|that is|all|it|now|clear|lovely|i see|understood|makes sense|will do|sounds good|very|"
    r"so|much|really|helpful|worked|works|"
    r"solved it|helps|helped|this|was|for the help|for your help|for that|a lot|again|you're great|"
    r"you are great|that|everything|for now|"
    r"nothing else|that's it|that's all|for everything|kind of you|appreciate it|i|much "
    r"appreciated|many|thx|thank you|thanks|cheers|ty)[ ,.!]*)+"
)
_BYE = (
    r"(?:(?:good ?bye|bye|see you|see ya|farewell|have a (?:nice|good|great) (?:day|evening|"
    r"weekend|one|night)|take care|good night|bye bye|until next time|you too|for now|then|later)[ "
    r",.!]*)+"
)
_HOW_ARE_YOU = r"(?:how are you(?: doing)?(?: today)?|how's it going|how do you do|what's up)"
_WHO = (
    r"(?:(?:and |so )?(?:who|what) (?:are|r) you|are you (?:a |an |really |actually )*(?:bot|robot|"
    r"human|ai|person|machine|real person|real|computer|language model)(?: or (?:a |an )?\w+)*|"
    r"what(?:'s| is) your name|am i (?:talking|speaking|chatting) (?:to|with) (?:a |an )?(?:\w+ "
    r"?)+|tell me about yourself|introduce yourself|do you have a name)"
)
_WHAT = (
    r"(?:(?:so |and )?what (?:can|do) you (?:do|help (?:me )?with|know|offer)(?: for me| about)?|"
    r"how (?:can|do|could) you help(?: me)?|what (?:are you|is this) (?:for|good for|able to do)|"
    r"(?:can|could) you (?:please )?help(?: me)?(?: please| out)?|help(?: me)?(?: please)?|i "
    r"(?:need|have|want) (?:some |a |your )?(?:help|question|quick question)(?: please)?|what "
    r"topics do you (?:cover|know))"
)
_KINDS_OF_TALK = {
    name: late(rf"(?:{_GREETING}[ ,.!]*)?(?:{pattern})[ ,.!?]*")
    for name, pattern in {
        "who": _WHO,
        "what": _WHAT,
        "how": _HOW_ARE_YOU,
        "bye": rf"(?:{_THANKS})?{_BYE}",
        "thanks": _THANKS,
    }.items()
} | {"greeting": late(rf"{_GREETING}[ ,.!?]*")}
_LEADING_GREETING = late(
    r"^(?:back again|me again|hello again|hi again|it's me again)\s*[,.!:–-]*\s+|"
    + rf"^{_GREETING}\s*[,.!:-]+\s*|^(?:hi|hello|hey)\s+(?:there\s+)?(?=\S)",
    re.IGNORECASE,
)


_LONGEST_SMALL_TALK = 120


def small_talk_kind(said: str) -> str | None:
    """``greeting``, ``thanks``, ``bye``, ``how``, ``who`` or ``what``; None for a message with a subject."""
    text = re.sub(r"[^\w\s',.!?-]", " ", fold(said))
    text = " ".join(text.split())
    if len(text) > _LONGEST_SMALL_TALK:
        return None
    if not text.strip(" ,.!?-"):
        return "greeting"
    return next((name for name, pattern in _KINDS_OF_TALK.items() if pattern.fullmatch(text)), None)


def is_small_talk(said: str) -> bool:
    """Whether the message has no subject of its own."""
    return small_talk_kind(said) is not None


def without_greeting(said: str) -> str:
    """The message from where its subject begins."""
    rest = _LEADING_GREETING.sub("", said, count=1).strip()
    return rest if content_stems(rest) else said


def small_talk_answer(kind: str, policy: Policy) -> str:
    """A polite answer that promises nothing."""
    topics = policy.topics
    offer = f"I can help with {topics}." if topics else "Just tell me what you would like to know."
    answers = {
        "greeting": f"Hello! {introduction(policy)} {offer}",
        "thanks": "You're welcome! Is there anything else I can help with?",
        "bye": "Goodbye, and all the best!" if policy.friendly else "Goodbye.",
        "how": f"I'm doing well, thank you. {offer}",
        "who": f"{introduction(policy)} I'm an automated assistant, not a person. {offer}",
        "what": f"{offer} What would you like to know?" if topics else offer,
    }
    return answers[kind]


def introduction(policy: Policy) -> str:
    """One sentence of who the assistant is."""
    place = f" for {policy.company}" if policy.company else ""
    if policy.name and policy.name != policy.company:
        return f"I'm {policy.name}, the assistant{place}."
    return f"I'm the assistant{place}." if place else "I'm the assistant here."


def redirect_answer(policy: Policy) -> str:
    """Turns away what is off topic and says what there is instead, in the prescribed words if any."""
    if policy.redirect:
        return policy.redirect
    topics = policy.topics or (f"questions about {policy.company}" if policy.company else None)
    if topics is None:
        return "I'm sorry, that is outside of what I can help with. Is there something else I can do for you?"
    company = (
        f" about {policy.company}" if policy.company and fold(policy.company) not in fold(topics) else ""
    )
    return (
        f"I'm sorry, that is outside of what I can help with here. I can help with {topics}. "
        f"Is there anything{company} you would like to know?"
    )
