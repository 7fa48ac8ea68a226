"""Which language a text is in: by its script, and by how many of its words are a language's function words.

The share of a language is the part of the text's words that stand in its list of function words (the, der,
de, que ...) plus a tenth of the part of its letters that only few languages have (ß, ñ, ő ...). The largest
share wins when it is large enough and clearly ahead; between two that are close the words decide that only
one of them has; anything else is not decided. Scripts that one language
uses decide at once. Names, numbers and code have no language: they only make every share smaller.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache

import msgspec

from harness.text import words

LONGEST_TEXT = 20_000  # characters that are looked at
FEWEST_WORDS = 4
_LEAST_SHARE = 0.12  # of words; running text of any of these languages has 0.3 to 0.6
_LEAST_LEAD = 1.15  # the first over the second
_LETTER_WEIGHT = 0.1
_MOST_OF_LETTERS = 0.5  # of one script, for it to be the text's script
_NOT_PROSE = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|(?<!\S)\S{1,100}@\S{1,100}|【[^】\n]*】|\[[^\]\n]*\]\([^)\n]*\)",
    re.DOTALL,
)

_BY_SCRIPT = {
    "GREEK": "el", "HEBREW": "he", "HANGUL": "ko", "THAI": "th", "ARMENIAN": "hy", "GEORGIAN": "ka",
    "DEVANAGARI": "hi", "BENGALI": "bn", "TAMIL": "ta", "TELUGU": "te", "GUJARATI": "gu", "GURMUKHI": "pa",
    "KANNADA": "kn", "MALAYALAM": "ml", "KHMER": "km", "LAO": "lo", "MYANMAR": "my", "ETHIOPIC": "am",
}  # fmt: skip

_WORDS = {
    "en": """the of and a i to in is you that it for on are as with his they at be this have from or one had
        by not what all were we when your can there an each which she do how their if will up about then
        them would so her him has more could no than been who its now my our please also but was should
        may any into""",
    "de": """der die das und ist nicht sie ich es ein eine einen einem einer zu den von mit auf für im dem
        des sich auch wie wir oder aber wenn werden wird hat haben kann können sind war bei nach aus um
        so nur noch über ihr ihre ihren ihnen durch bitte dass zum zur als an mehr vor was man unter
        diese dieser""",
    "fr": """le la les des du de et est un une que qui dans pour pas sur au aux avec ce cette ces il elle
        nous vous votre vos ne se sont être par plus ou mais si son sa ses leur leurs je mon ma mes tout
        on été comme fait aussi avoir peut pouvez à où même sans très afin lors""",
    "es": """el la los las de del y es un una que en por para con no se su sus al lo como más pero está están
        le les este esta estos esta usted ustedes puede si sobre o ha han ser son también cuando muy sin
        hay entre todo ya nos mi tu qué cómo desde donde porque esa ese todavía nosotros yo mis""",
    "pt": """o a os as de do da dos das e é um uma que em no na nos nas por para com não se seu sua seus suas
        ao mais mas está estão como você pode ou também quando muito sem há entre ser são foi pelo pela
        isso este esta já nós meu até onde porque""",
    "it": """il lo la i gli le di del della dei delle dello degli e è un una uno che in nel nella per con non
        si su sul sulla al alla ai alle da dal dalla come più ma sono suo sua questo questa può o anche
        se ha essere ci dove quando cosa tutto perché molto senza tra""",
    "nl": """de het een en van is dat in op te met voor niet zijn die aan er ook als u uw je jij we wij bij
        naar om uit over dan maar of kan kunt worden wordt heeft hebben deze dit geen nog wel door tot
        meer hoe wat waar moet onze ons""",
    "sv": """och att det i på är som en ett för av med till den inte du din ditt dina kan har om vi ni er man
        från eller så men de var vid när också detta denna dessa skulle blir vara under efter där här
        inom mer alla vad hur""",
    "da": """og at det i på er som en et for af med til den ikke du din dit dine kan har om vi man fra eller
        så men de var ved når også dette denne disse skal bliver være under efter hvor her mere alle
        hvad hvordan hvis jer os dig mig sig kun nu bruge bruger noget nogle meget blive tager""",
    "no": """og at det i på er som en et for av med til den ikke du din ditt dine kan har om vi man fra eller
        så men de var ved når også dette denne disse skal blir være under etter hvor her mer alle hva
        hvordan hvis dere oss deg meg seg bare nå bruke bruker noe noen mye tar""",
    "fi": """ja on ei että se tai voit sinun olet ovat mutta kun jos niin myös tämä tämän joka jotka kuin voi
        ole oli sen hän me te he mitä miten sekä vain jo kanssa jälkeen sitten nyt meidän teidän ovatko
        tätä olla""",
    "pl": """i w na z do się jest nie to że o jak po za od dla ale czy może można są był przez przed lub oraz
        który która które ten ta te tym tego jego jej ich twój swoje już tylko także jeśli gdy przy pod
        co proszę""",
    "cs": """a v na se je že z s do o k i to za pro jako ale by jsou nebo při od po už jen také který která
        které jste být může můžete není pokud když tak váš vaše vám si ve ze ten ta této pod co""",
    "sk": """a v na sa je že z s do o k i to za pre ako ale by sú alebo pri od po už len aj ktorý ktorá ktoré
        ste byť môže môžete nie ak keď tak váš vaše vám si vo zo ten tá tejto pod čo""",
    "sl": """in je v na se da za z s ne so ki pri od do po tudi ali kot če lahko bo ni še vaš vaše vam ste
        biti ta to te tega iz ob kako kaj ter ker""",
    "hr": """i je u na se da za s ne su koji koja koje od do po ili kao ako može možete bi nije će vaš vaše
        vam ste biti ovo ta to te iz kako što te jer samo također""",
    "hu": """a az és hogy nem is egy ez azt van vagy ha csak már meg mint de el még be ki le fel ezt volt
        lesz kell lehet amely aki ami ön önnek után majd minden között szerint kérjük nincs""",
    "ro": """și în de la cu pe un o este nu că se din pentru sau care mai ca dar sunt fi a al ale lui dacă vă
        dumneavoastră poate puteți acest această acesta prin după când unde cum fără foarte""",
    "tr": """ve bir bu için ile da de ne çok daha olarak var ama gibi kadar en veya değil siz sizin olan
        sonra her ise mi mı ya şu o biz ben nasıl lütfen tarafından üzerinde değildir""",
    "id": """yang dan di ke dari ini itu untuk dengan pada adalah anda tidak dalam akan dapat bisa atau juga
        oleh kami kita saya jika karena sudah telah ada lebih seperti silakan tersebut""",
    "vi": """và của là có không được cho với này trong một các những để bạn từ khi đã sẽ vào ra như người về
        thì đó lại nếu hoặc vui lòng tại chúng tôi""",
    "et": """ja on ei et see või ka kui mis oma ning kas selle siis seda olema saab saate teie meie ta nad
        aga kuid juba veel pärast kõik""",
    "lv": """un ir ka no uz ar par lai vai kas to nav jūs jūsu var tas tā šo šis pēc bet arī pie ja kā tiek
        mēs būs""",
    "lt": """ir yra kad su į iš ar tai bet jūs jūsų gali kaip už nuo per po jei arba taip pat šis ši jo nėra
        buvo mes""",
    "ru": """и в не на я что с по это как а но вы он она мы они к у же за от так для или если из бы то его ее
        вас вам ваш ваши может можно есть был быть при также до уже только""",
    "uk": """і в не на я що з по це як а але ви він вона ми вони до у та за від так для або якщо із би то
        його її вас вам ваш ваші може можна є був бути при також вже тільки й""",
    "bg": """и в не на аз че с по това как а но вие той тя ние те към у за от така или ако из би да се ще са
        е съм беше може при също вече само след няма моля който която което които като можете ви ни те
        на""",
    "sr": """и је у на се да за с не су који која које од до по или као ако може можете би није ће ваш вам
        сте бити ово та то те из како што јер само такође""",
    "ar": """في من على إلى أن هذا هذه التي الذي لا ما عن مع كان أو هو هي يمكن يمكنك إذا قد لم بعد كل بين تم
        ثم حتى عند يتم كما""",
    "fa": """در از به که این را با است برای آن شما می و یا هم تا بر خود اگر باید شود کنید نیست هر ما کرد بود
        شد های""",
    "ur": """کے میں کی ہے اور سے کا کو پر نے یہ کہ ہیں آپ نہیں اس ہو کر یا بھی اگر تو ہم وہ تھا کیا""",
}  # fmt: skip

_RARE_LETTERS = {
    "de": "ßäöü", "fr": "çèêëîïôœùûàâ", "es": "ñ¿¡", "pt": "ãõçâê", "it": "òìèù", "sv": "åäö", "da": "æøå",
    "no": "æøå", "fi": "äö", "pl": "łąęśżźćń", "cs": "řěůčšž", "sk": "ľĺŕôťď", "hu": "őűöü", "ro": "țșăâî",
    "tr": "ğışç", "vi": "ơưđạảấầẩẫậắằặẹẻếềểễệỉịọỏốồổộớờởợụủứừửựỳỵ", "et": "õäöü", "lv": "āēīūķļņģ",
    "lt": "ėįųūąęčšž", "hr": "đčćšž", "sl": "čšž", "uk": "іїєґ", "ru": "ыэё", "bg": "ъ", "sr": "ђћџњљј",
    "fa": "پچژگ", "ur": "ٹڈڑںے",
}  # fmt: skip


class Language(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        code: ISO 639-1; None when it can't be told.
        shares: The largest shares, for evidence.
        why: Why it can't be told.
    """

    code: str | None
    shares: dict[str, float]
    why: str = ""


def language_of(text: str) -> Language:
    """The language that most of a text is in."""
    prose = _NOT_PROSE.sub(" ", unicodedata.normalize("NFC", text[:LONGEST_TEXT]))
    letters = [character for character in prose if character.isalpha()]
    if not letters:
        return Language(None, {}, "the text has no words")
    scripts = Counter(map(_script, letters))
    east = _east_asian(scripts, len(letters))
    if east:
        return Language(east, {east: 1.0})
    script, count = scripts.most_common(1)[0]
    if script in _BY_SCRIPT and count > _MOST_OF_LETTERS * len(letters):
        return Language(_BY_SCRIPT[script], {_BY_SCRIPT[script]: round(count / len(letters), 3)})
    return _by_words(prose, Counter(character.lower() for character in letters))


def _by_words(prose: str, letters: Counter[str]) -> Language:
    said = [span.text.lower() for span in words(prose.replace("'", " ").replace("’", " "))]
    said = [word for word in said if word[0].isalpha()]
    if len(said) < FEWEST_WORDS:
        return Language(
            None, {}, f"{len(said)} words are too few to tell a language, {FEWEST_WORDS} are needed"
        )
    counts = Counter(said)
    shares = {code: _share(counts, letters, code) for code in _WORDS}
    first, second = sorted(shares, key=lambda code: (-shares[code], code))[:2]
    told = {code: round(shares[code], 3) for code in (first, second) if shares[code]}
    if shares[first] < _LEAST_SHARE:
        return Language(None, told, "it has hardly any function word of a known language")
    if shares[first] >= _LEAST_LEAD * shares[second]:
        return Language(first, told)
    return Language(_apart(counts, first, second), told, f"it may be {first!r} or {second!r}")


def _apart(counts: Counter[str], first: str, second: str) -> str | None:
    """The one of two close languages for which the words speak that only one of them has."""
    one, other = _function_words(first), _function_words(second)
    mine = sum(counts[word] for word in one - other)
    theirs = sum(counts[word] for word in other - one)
    if max(mine, theirs) < _LEAST_LEAD * min(mine, theirs) or mine == theirs:
        return None
    return first if mine > theirs else second


def _share(counts: Counter[str], letters: Counter[str], code: str) -> float:
    function_words = sum(counts[word] for word in _function_words(code))
    rare = sum(letters[letter] for letter in _RARE_LETTERS.get(code, ""))
    return function_words / counts.total() + _LETTER_WEIGHT * min(1.0, 20 * rare / letters.total())


@cache
def _function_words(code: str) -> frozenset[str]:
    return frozenset(_WORDS[code].split())


@cache
def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").partition(" ")[0]


def _east_asian(scripts: Counter[str], letters: int) -> str | None:
    """Japanese mixes kana with Han characters, Chinese has no kana."""
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"] + scripts["KATAKANA-HIRAGANA"]
    han = scripts["CJK"]
    if han + kana <= _MOST_OF_LETTERS * letters:
        return None
    return "ja" if kana > 0.1 * (han + kana) else "zh"
