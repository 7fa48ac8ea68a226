"""General English that the reference assistant knows: synonyms, question words, signs of trouble.

Nothing here belongs to one business; what is particular comes from instructions, documents and talk.
"""

from __future__ import annotations

import re
from functools import lru_cache

from harness.text import content_stems, fold, late, stem

#: Groups of words that mean about the same, parted by semicolons.
_SYNONYMS = """
price cost fee charge tariff pricing expensive; email e-mail mail; login sign-in signin logon sign log;
cancel terminate end quit stop; buy purchase order; change modify edit update alter switch adjust;
create make add new set; begin start launch; hour time; close closing closed shut open opening;
refund reimburse reimbursement money-back repay; invoice bill receipt; phone telephone mobile call;
picture image photo; see view visible; database db; sso sign-on; iphone ipad ios apple; app application;
docs documentation; limit maximum max cap restriction quota allowance most; minimum min least;
fix repair solve resolve remedy; error fault failure bug issue problem; crash crashes freeze hang;
slow performance lag; send deliver ship dispatch delivery shipping shipment; return give-back bring-back;
renew renewal extend extension prolong; borrow loan lend checkout; reserve reservation; card cards;
password passcode; support help-desk helpdesk assistance;
member user people person seat colleague coworker co-worker teammate employee; pay payment paid paying;
method way option; verify check validate confirm; plan tier subscription package;
free gratis complimentary; discount rebate concession reduction; supported available compatible;
requirement require required need needed necessary; mandatory compulsory required;
document documents paper papers paperwork; id identification passport identity;
store keep retain save kept stored retention; download export; upload import; folder directory;
site website; late overdue delayed delay; fine penalty;
join enrol enroll register registration signup sign-up subscribe; address location;
location where place located; parking park; wifi wi-fi wireless internet; guest visitor; staff worker;
company firm business organisation organization; country abroad international; forbidden prohibited banned;
secure safe security safety; encrypt encryption encrypted; backup back-up; restore recover recovery;
two-factor 2fa mfa two-step; integrate integration connect connection; annual yearly year annually;
monthly month; daily day; weekly week; repeat again; big bigger biggest large larger largest size;
long longer longest; high higher highest; small smaller smallest; old older oldest; newer newest latest;
quick fast; minimum least smallest; withdraw withdrawal; transfer wire; laptop computer pc; film movie dvd;
kind type sort; benefit advantage; choose select pick option; view show display; find locate;
reset forgot forgotten; lock locked block blocked; activate enable turn-on switch-on;
deactivate disable turn-off switch-off; valid validity expire expiry expiration; format type;
notify notification alert; own owner; trial try; insurance insured cover coverage; warranty guarantee;
exchange swap replace replacement; pick-up pickup collect collection; cash money;
atm machine cash-machine cashpoint; cheque check; overdraft overdrawn; salary wage income pay;
interest rate; currency currencies foreign; exchange convert conversion; savings saving deposit;
mortgage loan; statement transaction history; fraud scam; instalment installment; debt arrears owe owing;
earn gain; lost lose losing missing misplaced; steal stole stolen theft thief nicked pinched robbed;
flu influenza; shot jab vaccination vaccine inoculation immunisation immunization injection;
doctor physician gp; hospital clinic; lab laboratory; test exam examination examine;
prescription prescribe; dentist dental; sick ill illness disease unwell;
disability disabled wheelchair accessible accessibility step-free barrier-free; pregnant pregnancy;
death die died deceased bereavement; baby infant toddler; child children kid kids toddler;
teenager teen youth; elderly senior pensioner; parent mother father family; dog cat pet animal;
car vehicle van automobile; bike bicycle cycle; bus coach; train rail railway; flight plane fly aircraft;
luggage baggage suitcase bag; pram pushchair stroller buggy; trip journey travel; ticket fare;
depart departure leave; arrive arrival; taxi cab shuttle; passport visa; hotel stay accommodation room;
flat apartment home house; tenant renter; rent rental hire lease leasing; landlord owner;
move relocate relocation; power electricity electric; outage blackout cut interruption; meter reading;
heating heater boiler; water tap; rubbish trash garbage waste refuse bin; recycle recycling;
repair fix mend broken; faulty defective broken damaged damage defect; dirty filthy unclean;
clean wash cleaning washing laundry; shoe footwear trainer sneaker; clothes clothing garment;
jumper sweater pullover; size fit; colour color; parcel package shipment; courier carrier; voucher coupon;
sale reduced discounted; stock available availability; shop store outlet; warehouse depot; basket cart;
course class lesson module; teacher tutor instructor professor lecturer;
student pupil learner undergraduate; university college school; degree diploma; tuition fee;
scholarship grant bursary funding; deadline due; apply application applicant applying;
admission entry entrance; grade mark score; term semester; timetable schedule; gym fitness;
swim swimming pool; coach trainer instructor; membership member subscription; class session course;
locker cupboard; towel linen; breakfast meal; food eat meal dining; drink beverage; vegetarian vegan;
restaurant dining; permit licence license; council municipality; tax levy; certificate certification;
form application; birth born; marriage marry married wedding; vote election ballot; bring take carry;
allowed permitted allow permit permission welcome accepted accept; height high tall; weight heavy weigh;
width wide; length long; depth deep; speed fast; age old; finish end complete; split divide share;
remove delete erase uninstall; install setup; reinstall install; update upgrade; restart reboot;
phone smartphone cellphone; screen display monitor; charge charging charger; battery batteries;
print printer printing; invite invitation; share sharing; message notification; attach attachment;
merge combine; duplicate double twice; role right permission; admin administrator; contact reach;
talk speak; complain complaint; wait queue waiting; appointment booking visit; reschedule move postpone;
miss missed no-show; early earlier before; late later after; extra additional surplus;
regular standard normal; toll fee; deposit bond security; insurance insured insure; claim claiming;
accident crash collision; breakdown puncture flat; child-seat car-seat; mouse mice; foot feet; tooth teeth;
woman women; man men; wolf wolves; knife knives; fuel petrol gasoline diesel gas; return back;
adult eighteen; minor underage; discount off; dispute disagreement; rude impolite unfriendly;
dinner supper; lunch midday; evening night; morning early; shower bathroom; key keys keycard;
lift elevator; floor storey level; pavement sidewalk; autumn fall; holiday vacation leave;
weekend saturday sunday; cv resume; zip postcode postal; tram subway metro underground tube; sofa couch;
truck lorry; tyre tire; boot trunk; queue line; cellphone handset; bathroom toilet restroom; gym workout;
soccer football; biscuit cookie; nappy diaper; headset headphones; bug glitch; spam junk; usb flash
"""

#: Words of a question that say little about its subject; they count for a part only.
_GENERIC = """
tell know want need like explain question help possible way thing things please show give information info
detail details work works use using used user mean means exactly kind sort type available able actually
really currently today now look looking find out say says wonder wondering curious understand ask asking
answer happen happens regarding concerning someone anyone something anything everything everyone people
person long many much often big old new good best well right sure quick simple simply easy example just
maybe also still already ever never always make makes let lets go going come comes take takes put set time
different difference between main general purpose describe list provide offer include allow see reason
case part number amount kinds sorts types ways whole lot bit every each night usually calculated
determined calculate once thank thanks hello hi guys please tried trying another several certain keep
keeps become becomes soon hard difficult lot fair enough really still boss come fit fits compute computed
last lasts lasting
""".split()

#: Words that are common in all kinds of talk: one that the documents lack says little against them.
_COMMON = """
absolutely add advise after agree aim allow along annoyed annoying another appear arrive attend avoid awful
bad basically begin behind believe belong better boss bought bring brother brought build busy buy call care
carry catch change charge check choose clear close colleague collect common complete completely confirm
confused confusing consider contain continue correct crazy current dad damn daughter deal decide depend
difficult discuss due early easy enough enter especially expect fact fail fair fall father feel few fill
final finish first fit follow forget form found four friend full further future gave general get give given
gone got grow handle happy hate head hear hell here high hold honestly hope hopeless husband idea immediate
important improve increase interested issue join keep kid kind kindly last late later lead learn least leave
less level life like line list literally little live local lose love low made main manage matter maximum
maybe mention mind minimum mom moment month mother move mum near nearly nice normal normally note notice
offer office old once online open option order outside overall own paid particular partner pass past pay
perfect person pick place plan planning plus point prefer prepare present previous probably problem proper
properly purchase purpose put question quickly quite raise rather reach read ready real really reason
receive recent recommend remain remember remove request return ridiculous run safe save second seem send
separate serious seriously set several share short show side similar simply since single sister sit
situation small son special specific spend stand start stay step still stop straight stupid such suggest
suitable suppose sure taken talk ten terrible thing think third thought three time today together told
tomorrow tonight took top total totally touch toward treat trip true turn two type typical under unless
usual usually various visit wait walk watch wear weekend went wife wish without wonder word work world worry
worth write wrong year yesterday yet young
""".split()

#: What "how much" counts when it asks for no price: "how much exercise".
_A_THING = (
    r"(?!(?:is|are|was|does|do|did|for|would|will|to|it|more|extra|money|i|we|you|in|at|the|a|an|per|should|"
    r"must|can|could|has|have|cheaper|longer|later)\b)[a-z]"
)
_CUE_PATTERNS = {
    "duration": r"\bhow (?:long|soon|quickly|fast|often|old)\b|"
    r"\bhow many (?:minute|hour|day|week|month|year)s?\b",
    "money": rf"\bhow (?:expensive\b|much\b(?! {_A_THING}))|"
    r"\b(?:price|cost|fee|fees|charge|prices|costs)\b",
    "number": rf"\bhow (?:many|much {_A_THING}|large|big|far|tall|high|deep|small)\b|"
    r"\bwhat(?:'s| is) the (?:maximum|minimum|limit|size|number)\b",
    "phone": r"\b(?:phone|telephone|fax|call)\w* (?:number|line)\b|\bnumber (?:can|should|do) i call\b",
    "mail": r"\be-?mail address\b",
    "date": r"(?:^|[,;.?!] )(?:(?:and|so|but|since|until|by|from) )*when\b(?! i\b| my\b| the\b| a\b)|"
    r"\bwhen (?:is|are|do|does|did|will|can|was|were|should)\b|\bwhat (?:time|day|date|year)\b|"
    r"\bwhich (?:days?|dates?|year)\b|\bopening (?:hours|times)\b",
    "day": r"\b(?:which|what) (?:\w+ )?(?:week)?days?\b",
    "steps": r"\bhow (?:do|can|should|would|could|to|does one|must|i|we|one|you)\b|\bsteps?\b|"
    r"\binstructions\b|"
    r"\bset ?up\b|"
    r"\bwalk me through\b|\bwhat (?:should|can|must) i do\b|\bguide me\b",
    "place": r"\bwhere\b|\bwhat (?:address|location)\b",
    "most": r"\b(?:maximum|at most|limits?|how many (?:\w+ ){1,4}?can|largest|biggest|longest)\b",
    "who": r"\bwho(?:m|se)?\b",
    "choice": r"\b(?:which|what) (?:\w+ )?\w{3,}s (?:can|could|do|does|are|is|may|should|will|did|have)\b|"
    r"\b(?:which|what) (?:\w+ )?(?:formats?|types?|kinds?|options|ways|methods|plans|roles|regions|"
    r"languages|browsers|"
    r"systems|events|values|codes|scopes|categories|rooms|cards|accounts|services|currencies|sizes)\b",
    "definition": r"^(?:so |and |ok |okay )?(?:what|who) (?:is|are|does)\b|\bwhat do you mean\b|"
    r"\bmeaning of\b|"
    r"\bdefine\b",
}
CUES = {name: late(pattern) for name, pattern in _CUE_PATTERNS.items()}

DURATION = late(
    r"\b(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve|a|an|every|each|per)[ -]"
    r"(?:[a-z]+ )?(?:second|minute|hour|day|week|month|year|night|business day|working day)s?\b|"
    r"\b(?:daily|weekly|"
    r"monthly|yearly|annually|immediately|at once|instantly|real[- ]time|forever|permanently|24/7)\b",
    re.IGNORECASE,
)
MONEY = late(
    r"[$€£¥]\s?\d|\b\d[\d.,]*\s?(?:usd|eur|gbp|chf|dollars?|euros?|pounds?|cents?|pence|francs?|p|ct|%|"
    r"percent|per cent|[$€£])"
    r"|\b(?:usd|eur|gbp|chf)\s?\d|\bfree\b|\bno (?:charge|cost|fee)\b|\bwithout charge\b|\bgratis\b",
    re.IGNORECASE,
)
DATE = late(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:january|february|march|april|may|june|"
    r"july|august|"
    r"september|october|november|december)\b|\b\d{1,2}(?::\d\d)?\s?(?:am|pm|a\.m|p\.m|o'clock)\b|"
    r"\b\d{1,2}:\d\d\b|"
    r"\b\d{4}-\d\d-\d\d\b|\b(?:19|20)\d\d\b|\b(?:daily|weekly|monthly|noon|midnight|first day|last "
    r"day|at once|immediately|"
    r"right away|at the (?:end|start|beginning)|(?:after|within|before|until) (?:\d+|one|two|three|"
    r"the end))\b|\b(?:minutes?|hours?|days?|weeks?|months?) (?:before|after|prior|in advance)\b|"
    r"\b(?:between|from|at|by|before|until|after) \d{1,2}\b|"
    r"\b(?:until|once|as soon as) (?:the|its|your|it|they|you)\b",
    re.IGNORECASE,
)
NUMBER = late(
    r"(?<![\w-])\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|fifty|hundred|"
    r"thousand|unlimited|"
    r"no limit|none|any number|several)\b",
    re.IGNORECASE,
)
PLACE = late(
    r"\b(?:in|at|on|under|next to|behind|from|to|near|inside|through)\s+(?:the\s+)?[A-Z*\"“]|"
    r"\bhttps?://|\bwww\.|\b"
    r"(?:street|avenue|road|floor|building|desk|page|menu|tab|section|room)\b|>|→"
)
CHOICE = late(r"[\w-]+, (?:[\w -]{1,25}, )*[\w -]{1,25},? (?:and|or) [\w-]+|: [\w-]+(?: or | and |, )[\w-]+")
_PHONE = late(r"\d{2,}[\d ()/-]*\d{2,}")
_WHO = late(
    r"\b(?:only|visible to|by (?:an |a |the )?[A-Z]|(?:the |an |every )?[A-Z][a-z]+s? (?:or (?:an |"
    r"a )?[A-Z][a-z]+s? )?"
    r"(?:can|may|must))\b"
)
_ADDRESS = late(r"@")
_MOST = late(
    r"\b(?:up to|at most|no more than|maximum|limited to|as many as|exceeds?|not more than|largest)\b"
)
_DAY = late(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:daily|weekdays?|weekends?)\b", re.IGNORECASE
)
CUE_EVIDENCE = {
    "most": _MOST,
    "choice": CHOICE,
    "who": _WHO,
    "phone": _PHONE,
    "mail": _ADDRESS,
    "duration": DURATION,
    "money": MONEY,
    "number": NUMBER,
    "date": DATE,
    "day": _DAY,
    "place": PLACE,
}

#: Signs that somebody reports that something is wrong.
TROUBLE = late(
    r"\b(?:crash\w*|error\w*|broken|broke|fail(?:s|ed|ing|ure)?|fr[eo]ez\w*|leak\w*|smell\w*|"
    r"cracked|burst|flood\w*|faulty|defective|damaged|torn|ripped|dirty|frozen|hang(?:s|ing)|"
    r"stuck|bugs?|buggy|"
    r"glitch\w*|corrupt\w*|vanish\w*|disappear\w*|malfunction\w*|outage|unresponsive|"
    r"(?:do|does|did|is|are|was|wo|ca|could|has|have|is)n['o]?t (?:\w+ ){0,2}?(?:work\w*|load\w*|"
    r"open\w*|start\w*|sync\w*|"
    r"respond\w*|connect\w*|arriv\w*|come|show\w*|print\w*|scan\w*|respond|let|accept\w*|save\w*|"
    r"update\w*|find|get|"
    r"log|sign|access|download\w*|upload\w*|export\w*|import\w*|send\w*|receive\w*|see|use|play\w*|"
    r"finish\w*|go|"
    r"possible|install\w*|reach|turn|switch|accepted)|"
    r"(?:not|never|no longer|stopped|stops|won't|cannot) (?:\w+ ){0,2}?(?:work\w*|load\w*|open\w*|"
    r"start\w*|sync\w*|"
    r"respond\w*|connect\w*|arriv\w*|arrived|showing|print\w*|scan\w*|updat\w*|sav\w*|log|sign|"
    r"access|download\w*|"
    r"upload\w*|export\w*|receiv\w*|turn|accept\w*)|"
    r"keeps? (?:\w+ing|on \w+ing)|(?:is|are|went|goes|was|were|been) (?:down|missing|lost|gone|"
    r"blank|offline|wrong)|"
    r"(?:is|are|so|very|too|really|extremely|gets?|runs?|running|became|been) (?:\w+ )?(?:slow|"
    r"laggy|sluggish)|drain\w*|"
    r"takes? (?:forever|ages|too long|very long)|"
    r"typos?|flaws?|mistakes? in|stays? (?:\w+ )?(?:white|black|blank|grey|dark|empty|red|locked|"
    r"stuck|open|closed)|"
    r"nothing (?:works|worked|helps|helped|is working)|tried (?:all|every\w*) |"
    r"(?:get(?:ting)?|got|see(?:ing)?|shows?|showing|receiv\w+|says|saw) (?:\w+ ){0,4}?(?:error|"
    r"code|[a-z]{2,6}-\d{2,4})|[a-z]{2,6}-\d{2,4} (?:shows?|appears?|comes?|keeps?|again)|"
    r"lost (?:all |some |my |our |the )|unable to|blank (?:page|screen)|white screen|blue screen|"
    r"(?:problem|trouble|issue|difficult\w+)s? (?:with|when|since|after|in|logging|opening|using)|"
    r"(?:have|having|got|there is|there's|had) (?:a|an|some|this|the same|big|serious)? ?(?:\w+ "
    r")?(?:problem|trouble|issue)s?)\b"
)
#: Signs that the known remedies have been tried.
TRIED = late(
    r"\b(?:(?:already|have|had|'ve|i|we) (?:already |also |even |just )?(?:tried|followed|did|done|"
    r"repeated|reinstalled|"
    r"restarted|rebooted|gone through|went through)|tried (?:all|every\w*|that|this|those|these|it|"
    r"the|to|re\w+|clearing|"
    r"again)|nothing (?:works|worked|helps|helped|has worked|has helped|changed|changes|happens|is working)|"
    r"no(?:ne|thing) of (?:that|this|those|these|the|it)\b.*\b(?:help\w*|work\w*)|"
    r"(?:that|this|those|these|they|none|steps?|which|reset|restart|reinstall\w*) (?:did|does|do|"
    r"has|have)(?:n't| not) work(?:ed)?|"
    r"(?:did|does|do|has|have)(?:n't| not) (?:really )?(?:help|helped|fix|fixed|solve|"
    r"solved|resolve|"
    r"resolved|change|changed)(?: (?:either|anything|it|that|at all|for me|the (?:problem|issue)))?|"
    r"not (?:helping|helped|fixed|solved|resolved)|to no avail|without (?:any )?(?:success|luck)|"
    r"no (?:luck|success|"
    r"improvement|change)|(?:still|again) (?:the same|crash\w*|fail\w*|not|doesn't|does not|broken|"
    r"happen\w*|stuck|"
    r"get\w*|see\w*|can't|cannot|won't|freez\w*|hang\w*|shows?|slow|blank|down|there|an error|an "
    r"issue|have the)|same "
    r"(?:error|problem|issue|result|thing|crash)|keeps? happening|(?:is|are|it) still (?:there|"
    r"here|broken|crashing|"
    r"failing|happening|not|stuck|down|blank|slow|wrong)|for (?:days|weeks|hours)|"
    r"(?:even )?after (?:\w+ )?(?:re\w+ing|following|trying|clearing|doing)|"
    r"(?:third|second|fourth|fifth|tenth) time|over and over|again and again|still (?:does|is|do|"
    r"has)\w*n['o]t)\b"
)
SAME_AGAIN = late(r"\b(?:still|again|same|either|neither|no luck|nope|didn't|did not|doesn't|does not|not)\b")

#: What a condition of the instructions may be about, and how users put it.
_KINDS = {
    "person": (
        r"\b(?:ask|request|want|wish|prefer|insist|demand|like|need)\w*\b.*\b(?:human|person|agent|"
        r"representative|"
        r"operator|staff|speak|talk)\b|\b(?:speak|talk) (?:to|with)\b",
        r"(?!)",
    ),
    "technical": (
        r"\b(?:technical|troubleshoot\w*|bugs?|crash\w*|errors?|malfunction\w*|defects?|"
        r"problems?|issues?|fault\w*|incidents?|outages?)\b",
        r"(?!)",
    ),
    "unresolved": (
        r"\b(?:unresolved|not (?:been )?(?:resolve|solve|help|work|fix)\w*|(?:can|could|do|does|"
        r"did)(?:not|n't| not) "
        r"(?:be )?(?:resolve|solve|fix|help)\w*|persist\w*|steps (?:fail|do not|don't|have been)|still|"
        r"unable to (?:resolve|solve|fix|help)|tried|exhausted|beyond (?:your|the|my|our)|repeated\w*|"
        r"attempts|"
        r"not documented|undocumented|not (?:been )?(?:solved|fixed|helped|resolved)|not helped)\b",
        r"(?!)",
    ),
    "unanswered": (
        r"\b(?:(?:can|could|do|does|did|is|are)(?:not|n't| not) (?:\w+ ){0,3}?(?:answer\w*|find|found|"
        r"know|contain\w*|cover\w*|have|listed|available|say|sure)|"
        r"(?:not|n't) in (?:there\b|them\b|(?:the|our|your|these|any|my) (?:\w+ )?(?:documents?|docs?|"
        r"documentation|handbook|knowledge|guides?|pages?|articles?|materials?|papers?|faqs?|files?|manuals?|sources?))|"
        r"not (?:found|covered|contained|answered|certain|sure)|"
        r"unknown|unsure|unanswered|no answer|unable to (?:answer|find)|missing from|outside (?:of "
        r")?(?:the|your) "
        r"(?:documents?|knowledge|material))\b",
        r"(?!)",
    ),
    "complaint": (
        r"\b(?:complain\w*|unhappy|angry|anger|upset|frustrat\w*|dissatisf\w*|annoyed|furious|abus\w*|"
        r"irate|cross|mad|outraged)\b",
        r"\b(?:complain\w*|unacceptable|terrible|awful|disappoint\w*|angry|furious|frustrat\w*|fed up|"
        r"ridiculous|"
        r"worst|disgust\w*|unhappy|dissatisf\w*|outrag\w*|appalling|rude\w*|scandal\w*|sick of|"
        r"horrible|filthy|annoyed)\b",
    ),
    "legal": (
        r"\b(?:legal\w*|law|lawyers?|lawsuits?|court|litigation|attorney)\b",
        r"\b(?:lawyers?|attorney|su(?:e|ing)|lawsuit|court|legal(?:ly)?|solicitor|liab\w+|litigation|"
        r"subpoena)\b",
    ),
    "medical": (
        r"\b(?:medical|health|symptoms?|diagnos\w*|clinical|treatment|medications?)\b",
        r"\b(?:symptoms?|pain\w*|diagnos\w*|medications?|medicine|dos(?:e|age|ing)|bleed\w*|chest|"
        r"fever|rash|dizz\w*|"
        r"allerg\w*|antibiotics?|pregnan\w*|breath\w*|swollen|vomit\w*|headache\w*|ibuprofen|"
        r"paracetamol|aspirin|"
        r"prescri\w+|infect\w*|disease|tumou?r|cancer|illness|treatment for|hurts?|sick|injur\w*)\b",
    ),
    "emergency": (
        r"\b(?:emergenc\w*|life-threatening|danger\w*|suicid\w*|urgent\w*|acute|self-harm|crisis)\b",
        r"\b(?:emergency|suicid\w*|kill myself|can(?:no|')t breathe|unconscious|chest pain\w*|bleeding|"
        r"overdose|danger|"
        r"heart attack|stroke|fire|gas leak|urgent\w*|hurt myself|collapsed|life-threatening)\b",
    ),
    "security": (
        r"\b(?:security|fraud\w*|breach\w*|hack\w*|unauthori[sz]ed|phishing|suspicious|stolen|steal\w*|scam\w*|"
        r"theft|privacy)\b",
        r"\b(?:hack(?:ed|er|ers|ing)|breach\w*|unauthori[sz]ed|phish\w*|stolen|stole|nicked|pinched|snatched|robbed|theft|thief|compromised|fraud\w*|"
        r"suspicious|leaked|"
        r"scam\w*|identity theft|someone (?:else )?(?:has |is )?(?:used|using|logged|accessed|took|got into)|"
        r"(?:do not|don't|didn't|did not|never) (?:recogni[sz]e|make|made|authori[sz]ed?))\b",
    ),
    "data_loss": (
        r"\b(?:data loss|data (?:\w+ ){0,4}(?:lost|missing)|los[est]+ (?:of )?(?:\w+ )?data|lost data|"
        r"missing data|corrupt\w*)\b",
        r"\b(?:lost (?:all |some |my |our |the |of )*(?:\w+ )?(?:data|files?|work|records?|"
        r"projects?|documents?|"
        r"history|photos|messages|reports?|everything|entries|orders)|(?:data|files?|records?|"
        r"projects?|"
        r"documents?|history|everything|entries|reports?|work)\b[^.?!]{0,40}\b(?:lost|gone|vanished|"
        r"disappeared|wiped|corrupt\w*|"
        r"deleted (?:itself|by itself|themselves)|missing)|data loss|corrupt(?:ed|ion)|"
        r"(?:all|everything)\b[^.?!]{0,30}\b(?:gone|lost|vanished|disappeared|wiped))\b",
    ),
    "hardship": (
        r"\b(?:(?:can(?:no|')t|unable to|struggl\w+ to|difficult\w* to) (?:pay|afford)|debts?|arrears|"
        r"hardship|"
        r"payment difficult\w*)\b",
        r"\b(?:(?:can(?:no|')t|unable to|not able to|struggl\w+ to|no money to|impossible to) (?:pay|afford)|"
        r"in debt|debts|arrears|bankrupt\w*|behind (?:with|on) (?:my|our|the)|(?:lost my|out of) (?:job|"
        r"work))\b",
    ),
    "bereavement": (
        r"\b(?:died|dies|dead|deaths?|deceased|bereave\w*|passed away)\b",
        r"\b(?:died|deceased|(?:has|have|is) dead|death of|bereave\w*|passed away|funeral|"
        r"lost my (?:husband|wife|mother|father|mum|mom|dad|son|daughter|partner|brother|sister))\b",
    ),
    "not_received": (
        r"\b(?:(?:nothing|not|never|n't) (?:\w+ )?(?:arriv\w+|receiv\w+|turn(?:ed)? up|deliver\w+|come)|"
        r"missing (?:parcel|order|deliver|package)\w*)\b",
        r"(?:\b(?:nothing|not|never|no \w+)|n't)\b[^.?!]{0,25}\b(?:arriv\w+|receiv\w+|turned up|"
        r"shown up|come|"
        r"here|deliver\w+|found)\b|\b(?:still (?:missing|waiting|lost|gone)|without a trace)\b",
    ),
    "injury": (
        r"\b(?:injur\w+|accidents?|hurt|harmed)\b",
        r"\b(?:injur\w+|accident|hurt|harmed|bleed\w*|broke my|sprained|twisted my|burn(?:t|ed)|"
        r"cut (?:my|his|her|their|our)|wound\w*|"
        r"fell (?:off|down|over)|crashed|ambulance)\b",
    ),
    "illness": (
        r"\b(?:ill|illness\w*|sickness|hospital\w*)\b",
        r"\b(?:ill|illness|sick|hospital\w*|surgery|operation|unwell|covid|flu|diagnosed)\b",
    ),
    "damage": (
        r"\bdamage\w*\b",
        r"\b(?:damage\w*|broke|broken|snapped|smashed|shattered|cracked|dented|scratched|torn|ripped|bent|spilled|"
        r"spilt|ruined)\b",
    ),
    "loss": (
        r"\blost (?:property|and found|items?|belongings|things|objects?)\b|\bleft behind\b",
        r"\b(?:lost|lose|losing|misplaced|mislaid|can(?:no|')t find|left) (?:my|our|a|an|his|her|both)\b|"
        r"\b(?:left|forgot)\b[^.?!]{0,30}\b(?:behind|in (?:my|the|our) \w+)|\blost property\b|\bmissing\b",
    ),
    "harassment": (
        r"\b(?:harass\w*|bull(?:y|ied|ying)|threat\w*|discriminat\w*|safeguard\w*|violen\w*|assault\w*)\b",
        r"\b(?:harass\w*|bull(?:y|ied|ying)|threaten\w*|discriminat\w*|abus\w+|violen\w*|assault\w*|racist|"
        r"sexist|stalk\w*|attacked)\b",
    ),
    "disagreement": (
        r"\b(?:disagree\w*|appeals?|object(?:s|ions?)? to|challeng\w*)\b",
        r"\b(?:disagree\w*|appeal\w*|object to|challenge|unfair|reconsider|contest)\b",
    ),
    "outage": (
        r"\b(?:outages?|downtime|system(?:s)? down|unavailab\w*|cannot work)\b",
        r"\b(?:outage|(?:everything|whole|entire|all|service|site|system|server|production|"
        r"platform)\b[^.?!]{0,25}\b"
        r"(?:down|offline|unavailable)|(?:nobody|no one)\b[^.?!]{0,30}\b(?:can|is able)|locked out|"
        r"(?:all|every) "
        r"(?:of )?(?:our |my |the )?"
        r"(?:users?|members?|colleagues|staff|team)[^.?!]{0,30}(?:can't|cannot|unable|locked out))\b",
    ),
    "dispute": (
        r"\b(?:disput\w*|contest\w*|overcharg\w*|wrong(?:ly)? charg\w*|double charg\w*|chargebacks?|"
        r"(?:charged|paid|billed|debited) (?:twice|double|wrongly|too much)|wrong amount|"
        r"billing (?:dispute|error|"
        r"problem)s?)\b",
        r"\b(?:disput\w*|contest(?:ing)?|overcharg\w*|(?:charged|billed|debited|paid) (?:me |"
        r"us )?(?:twice|double|wrongly|too "
        r"much|again)|double "
        r"charged?|wrong(?:ly)? charged|chargeback|incorrect(?:ly)? (?:charge|bill)\w*|never "
        r"(?:received|ordered|borrowed)|"
        r"not my (?:fault|charge)|unfair)\b",
    ),
}
KINDS = {name: (late(condition), late(said)) for name, (condition, said) in _KINDS.items()}
SEVERE_KINDS = ("data_loss", "security", "outage", "emergency")

#: Signs that a problem is over.
SOLVED = late(
    r"\b(?:that|it|this|which|everything|the \w+|steps?) (?:\w+ )?(?:helped|worked|works|solved|"
    r"fixed|did the trick)\b|"
    r"\b(?:works?|working|runs?|running) (?:again|now|fine|perfectly|well)\b|\b(?:problem|"
    r"issue)(?: is| has been)? "
    r"(?:solved|fixed|gone|resolved)\b|\b(?:is|it's|all) (?:solved|fixed|resolved)\b"
)
NOT_SOLVED = late(r"n't\b|\b(?:not|never|still|but|however|stopped|no longer|nothing|none|again and again)\b")
#: Requests that no support assistant is there for, unless its instructions name the thing.
OFF_TOPIC = late(
    r"\b(?:(?:write|tell|compose|make|sing|create|give|recite)(?: \w+){0,4}? (?P<art>poem|jokes?|speech|"
    r"lyrics|blog post|"
    r"story|stories|song|essay|haiku|"
    r"limerick|rap|riddle|novel|screenplay|love letter|cover letter)|(?P<food>recipes?|bake|"
    r"cook(?:ing)?|pizza|pasta|"
    r"lasagna)|(?P<weather>weather|forecast for (?:today|tomorrow)|rain tomorrow)|(?P<sport>world "
    r"cup|football|soccer|"
    r"basketball|olympics|super bowl|tennis match|premier league|championship game)|"
    r"(?P<politics>president|elections?|"
    r"politic\w*|prime minister|vote for)|(?P<homework>homework|capital of|square root|solve the "
    r"equation|derivative|"
    r"integral of)|(?P<life>meaning of life|horoscope|lottery|bitcoin|stock (?:tips|market)|girlfriend|"
    r"boyfriend|dating|(?:which|what) (?:shares|stocks|crypto\w*)|(?:shares|stocks|crypto\w*) (?:should|"
    r"to buy))|"
    r"(?:write|code|program|implement)(?: me)?(?: a| an| some| the)?(?: \w+){0,2} "
    r"(?P<code>function|script|program|code|"
    r"algorithm|web scraper|game|sql query)|who (?:won|directed|painted|invented|wrote) (?P<trivia>\w+))\b"
)
#: Attempts to make the assistant forget its instructions or show them.
INJECTION = late(
    r"\b(?:ignore|disregard|forget|override|bypass|drop)\b[^.?!\n]{0,40}\b(?:instruction|prompt|"
    r"rule|guideline|direction|"
    r"restriction|polic)\w*|\b(?:reveal|show|print|repeat|output|display|tell|give|share|expose|"
    r"dump|what (?:is|are)|what's)\b"
    r"[^.?!\n]{0,40}\b(?:system (?:prompt|message|instruction)s?|your (?:\w+ )?(?:instructions?|"
    r"prompt|rules|guidelines)|"
    r"initial (?:prompt|instructions)|hidden (?:prompt|instructions)|(?:text|words|everything|"
    r"message) above)\b|"
    r"\byou are now\b|\bfrom now on,? (?:you|act|answer|respond)\b|\bpretend (?:to be|you|that "
    r"you)\b|\b(?:developer|dan|god|"
    r"debug|jailbreak|admin) mode\b|\brole-?play as\b|\bact as (?:a|an|if)\b|\bdo anything now\b|"
    r"\bno longer bound\b"
)


#: Sayings of several words, each with one usual word for it.
_PHRASES = tuple(
    (late(rf"\b(?:{pattern})\b", re.IGNORECASE), usual)
    for pattern, usual in {
        r"book (?=an? )": "reserve ",
        r"money back": "refund",
        r"get rid of|throw away": "delete",
        r"log (?:in|on)": "sign in",
        r"log out": "sign out",
        r"free of charge|at no (?:extra )?cost|for nothing": "free",
        r"call(?:ed)? off": "cancel",
        r"(?:give|bring|send|take|sen[dt]ing|hand) (?:(?:it|them|this|these|the \w+|my \w+) )?back": "return",
        r"too big": "too large",
        r"how much (?=(?:is|are|will|would) |do(?:es)? (?:\w+ ){1,5}?cost)": "price ",
        r"fill (?:in|out)": "complete",
        r"turn on": "switch on",
        r"turn off": "switch off",
        r"take out (?:some )?(?:cash|money)|get (?:some )?cash(?: out)?": "withdraw cash",
        r"cash ?(?:machine|point)s?|atms?": "machine",
        r"\d+[- ]years?[- ]olds?|(?:my|our) (?:son|daughter)s?": "child",
        r"check(?=(?:ing)?[ -]?(?:in|out)\b)(?:ing)?[ -]?(in|out)": r"check-\1",
        r"pass(?:ed|es)? away": "died",
        r"set(?:ting)? up": "install",
        r"sign(?:ing)? up|signup": "register",
        r"pay (?:it |this )?in (?:parts|stages|several payments)|monthly payments": "instalments",
        r"(?:hand|carry)[- ](?:luggage|baggage)|carry[- ]on(?: bag)?": "cabin bag",
        r"hold (?:luggage|baggage)": "checked bag",
        r"left (?=(?:my|our) [^.?!]{0,40}\b(?:in|on|at)\b)": "lost ",
    }.items()
)


def in_usual_words(text: str) -> str:
    """The text with some sayings of several words put as one usual word."""
    for pattern, usual in _PHRASES:
        text = pattern.sub(usual, text)
    return text


# A kind and its members: who asks for the kind may find a member, but never one member for another.
_MEMBERS = """
day monday tuesday wednesday thursday friday saturday sunday weekday daily
weekend saturday sunday
month january february march april may june july august september october november december
database postgresql mysql mariadb sqlite oracle mongodb bigquery
browser chrome firefox safari edge
language english german french spanish italian portuguese dutch polish
currency dollar euro pound franc usd eur gbp
phone android iphone ios
reserve book
appointment book
"""


# The same, and what holds for the kind holds for the member: "foreign currency" answers about dollars.
_KINDS_THAT_ANSWER = """
currency dollar euro pound franc yen usd eur gbp
pet dog cat hamster rabbit bird parrot
vehicle car van lorry truck motorbike motorcycle
instrument guitar violin cello
sport ski snowboard surf golf
food pizza sandwich snack meal
drink water coffee tea juice
"""


@lru_cache(maxsize=1)
def _synonym_table() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in _SYNONYMS.split(";"):
        stems = {stem(fold(word)) for word in line.split()} | {word for word in line.split() if "-" in word}
        for member in stems:
            groups.setdefault(member, set()).update(stems)
    for line in _MEMBERS.strip().splitlines():
        kind, *members = (stem(fold(word)) for word in line.split())
        groups.setdefault(kind, {kind}).update(members)
    for line in _KINDS_THAT_ANSWER.strip().splitlines():
        kind, *members = (stem(fold(word)) for word in line.split())
        groups.setdefault(kind, {kind}).update(members)
        for member in members:
            groups.setdefault(member, {member}).add(kind)
    return {member: frozenset(others - {member}) for member, others in groups.items()}


def synonyms(term: str) -> frozenset[str]:
    """Stems that mean about the same as this stem; empty for most."""
    return _synonym_table().get(term, frozenset())


_OFF = late(
    r"(?:%|percent|per cent|half|euros?|dollars?|pounds?) (?:off|less)\b|\bhalf (?:the )?price\b", re.I
)


def subject_stems(text: str) -> list[str]:
    """Content stems, with "founded" told apart from "found"; an amount of money names a price."""
    stems = content_stems(text)
    if "founded" in text.casefold():
        stems.append("founder")
    if MONEY.search(text):
        stems.append("price")
    if _OFF.search(text):
        stems.append("discount")
    return stems


@lru_cache(maxsize=1)
def generic_stems() -> frozenset[str]:
    """Stems that say little about what a question is about."""
    return frozenset(part for word in _GENERIC for part in content_stems(word))


@lru_cache(maxsize=1)
def common_stems() -> frozenset[str]:
    """Stems that are common in all kinds of talk."""
    return frozenset(part for word in _COMMON for part in content_stems(word))


_NOT_ALIKE = frozenset({("found", "founder"), ("founder", "found")})


def alike(one: str, other: str) -> bool:
    """Whether two stems look like forms of one word: ``subscript`` and ``subscription``."""
    if one + "s" == other or other + "s" == one:
        return True  # plurals of abbreviations, which the stemmer leaves alone
    shorter = min(len(one), len(other))
    if (one, other) in _NOT_ALIKE or shorter < 5 or abs(len(one) - len(other)) > 3:
        return False
    shared = max(5, shorter - 1)
    return one[:shared] == other[:shared]
