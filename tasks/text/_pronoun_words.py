"""Words beside a pronoun that tell its role."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NOT_A_NOUN = _words(
    "a an the this that these those my your his her its our their some any no every each another such "
    "he she it they i you we him them me us who whom whose which what where when why how if whether because since although though unless while until "
    "and or nor but so than as to in on at for with from by of about into onto upon over after before during through against between among "
    "within without under above across along around behind beside besides beyond despite except near toward towards via per off out up "
    "is was are were be been being am has have had do does did will would shall should can could may might must ought "
    "not never always also again there here yesterday today tomorrow tonight too away forward together alone anyway instead ever often soon "
    "everywhere anywhere somewhere nowhere everything something anything nothing everyone someone anyone"
)
"""After these words no noun of its own begins: ``saw her in``, ``gave her the book``, ``his is red``."""

EITHER_NEXT = _words(
    "back down then now once well right left past inside outside little both all more most enough quite very rather almost even still just mine"
)
"""Beside these it may be either: ``took her back``, ``hurt her back``."""

NOT_ADVERBS = _words(
    "family only early daily elderly lovely friendly ally assembly monthly weekly yearly belly reply supply lonely ugly holy costly lively anomaly melancholy"
)
"""They end in -ly and go before a noun, or are one."""

PREPOSITIONS = _words(
    "of for in with from by on at to about into onto upon over after before during through against between among within without under above across along "
    "around behind beside besides beyond despite near toward towards via and or but as than when while because that was is were are"
)

CAUSING = _words(
    "see sees saw seen seeing watch watches watched watching hear hears heard hearing feel feels felt feeling notice notices noticed observe observes "
    "observed make makes made making let lets letting have has had having help helps helped helping find finds found finding keep keeps kept keeping leave "
    "leaves left leaving consider considers considered get gets got getting catch caught spot spotted discover discovered render renders rendered"
)
"""``saw her duck``, ``made her queen``: the next word may be what she does or becomes."""

GIVING = _words(
    "give gives gave given giving tell tells told telling show shows showed shown showing call calls called calling buy buys bought buying teach teaches "
    "taught teaching ask asks asked asking offer offers offered offering send sends sent sending bring brings brought bringing pay pays paid paying cost costs "
    "costing win wins won winning name names named naming lend lends lent owe owes owed promised served grant granted grants award awarded awards "
    "deny denied denies earn earns earned earning allow allowed allows cause caused causes hand handed hands pass passed throw threw "
    "elect elected appoint appointed crown crowned declare declared dub dubbed"
)
"""``gave her books``: the next word may be what she is given or called."""

ALWAYS_OWNED = _words(
    "own mother father sister brother husband wife son daughter parents children siblings family aunt uncle cousin grandmother grandfather grandparents "
    "niece nephew fiance fiancee boyfriend girlfriend partner spouse friend colleague successor predecessor mentor "
    "career debut life role album novel song death birth appearance performance marriage education childhood residence autobiography memoir biography "
    "character degree studio acting professional first second third final breakthrough feature directorial broadway hollywood "
    "studies teenage early late personal private public political musical solo literary academic scientific artistic"
)
"""After her or his these belong to her or him, whatever verb stands before: a noun that cannot be a verb, or a word before a noun."""

MADE = _words("debut appearance mark living fortune return entrance comeback breakthrough reputation decision bow start residence headquarters")
"""What one makes of one's own: ``made her film debut``."""

OF_ONES_OWN = _words("friend friends colleague colleagues cousin cousins acquaintance relative relatives fan student students pupil pupils ancestor ancestors")
"""``a friend of his came``: after these and ``of`` it may stand alone."""
