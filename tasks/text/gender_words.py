"""English words for women and men in pairs, each word in one pair: what role reversal swaps."""

from __future__ import annotations

Pair = tuple[str, str]
"""(female, male)"""

PRONOUNS: tuple[Pair, ...] = (("she", "he"), ("herself", "himself"))
BY_ROLE: tuple[tuple[str, str], tuple[str, str]] = (("her", "hers"), ("his", "him"))
"""Female and male pronouns whose counterpart depends on their role in the sentence."""

PERSONS: tuple[Pair, ...] = (("woman", "man"), ("women", "men"), ("girl", "boy"), ("girls", "boys"), ("female", "male"), ("females", "males"))

_ENDINGS = (("woman", "man"), ("women", "men"))
_WITH_MAN = (
    "air alder anchor business camera chair church clergy congress council country crafts fisher fire fore horse lay mail marks noble police "
    "sales school service spokes sports states stunt tribes weather work"
)

KIN: tuple[Pair, ...] = (
    ("mother", "father"),
    ("mothers", "fathers"),
    ("mom", "dad"),
    ("moms", "dads"),
    ("mommy", "daddy"),
    ("mama", "papa"),
    ("daughter", "son"),
    ("daughters", "sons"),
    ("sister", "brother"),
    ("sisters", "brothers"),
    ("wife", "husband"),
    ("wives", "husbands"),
    ("aunt", "uncle"),
    ("aunts", "uncles"),
    ("niece", "nephew"),
    ("nieces", "nephews"),
    ("grandmother", "grandfather"),
    ("grandmothers", "grandfathers"),
    ("grandma", "grandpa"),
    ("granddaughter", "grandson"),
    ("granddaughters", "grandsons"),
    ("stepmother", "stepfather"),
    ("stepdaughter", "stepson"),
    ("stepsister", "stepbrother"),
    ("godmother", "godfather"),
    ("goddaughter", "godson"),
    ("bride", "bridegroom"),
    ("brides", "bridegrooms"),
    ("widow", "widower"),
    ("widows", "widowers"),
    ("girlfriend", "boyfriend"),
    ("girlfriends", "boyfriends"),
    ("maternal", "paternal"),
    ("motherhood", "fatherhood"),
    ("sisterhood", "brotherhood"),
    ("sorority", "fraternity"),
)

ROLES: tuple[Pair, ...] = (
    ("actress", "actor"),
    ("actresses", "actors"),
    ("waitress", "waiter"),
    ("waitresses", "waiters"),
    ("stewardess", "steward"),
    ("stewardesses", "stewards"),
    ("heroine", "hero"),
    ("heroines", "heroes"),
    ("heiress", "heir"),
    ("heiresses", "heirs"),
    ("nun", "monk"),
    ("nuns", "monks"),
    ("abbess", "abbot"),
    ("cowgirl", "cowboy"),
    ("cowgirls", "cowboys"),
    ("schoolgirl", "schoolboy"),
    ("schoolgirls", "schoolboys"),
    ("headmistress", "headmaster"),
    ("landlady", "landlord"),
    ("landladies", "landlords"),
    ("queen", "king"),
    ("queens", "kings"),
    ("princess", "prince"),
    ("princesses", "princes"),
    ("duchess", "duke"),
    ("duchesses", "dukes"),
    ("empress", "emperor"),
    ("empresses", "emperors"),
    ("baroness", "baron"),
    ("gal", "guy"),
    ("gals", "guys"),
    ("lass", "lad"),
    ("lasses", "lads"),
    ("lady", "gentleman"),
    ("ladies", "gentlemen"),
)

QUALITIES: tuple[Pair, ...] = (
    ("feminine", "masculine"),
    ("femininity", "masculinity"),
    ("womanhood", "manhood"),
    ("girlhood", "boyhood"),
    ("girlish", "boyish"),
    ("womanly", "manly"),
    ("madam", "sir"),
    ("ms", "mr"),
)

PAIRS: tuple[Pair, ...] = (
    *PRONOUNS,
    *PERSONS,
    *KIN,
    *ROLES,
    *((stem + female, stem + male) for stem in _WITH_MAN.split() for female, male in _ENDINGS),
    *QUALITIES,
)

UNPAIRED = (
    "mrs miss mum mums lord lords dame dames gentlewoman gentlewomen maid maids groom grooms mistress bachelorette goddess goddesses priestess priestesses "
    "witch witches sorceress seamstress seamstresses ballerina ballerinas hostess hostesses poetess governess governesses"
)
"""Words for one group without a clear counterpart: a text with one of them has no role reversal."""

BIOLOGY = (
    "pregnant pregnancy pregnancies childbirth miscarriage abortion menstrual menstruation menopause uterus uterine ovary ovaries ovarian vagina vaginal "
    "cervical womb midwife midwives breastfeeding breastfeed lactation gynecologist gynaecologist obstetrician prostate testicular testicles penis sperm "
    "vasectomy testosterone estrogen oestrogen impregnated"
)
"""A text with one of these is about bodies: reversed it would say what cannot be."""
