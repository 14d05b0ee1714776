"""The words of the grammar of synthetic stereotypes. Which word goes with which group is planted, not believed."""

from __future__ import annotations

SUBJECTS = (
    ("she", "he"),
    ("the woman", "the man"),
    ("my sister", "my brother"),
    ("the girl", "the boy"),
    ("my mother", "my father"),
    ("the lady", "the gentleman"),
    ("the daughter", "the son"),
    ("the wife", "the husband"),
)
"""(female, male) pairs."""

OCCUPATIONS = {
    "female": (
        [
            "nurse",
            "librarian",
            "teacher",
            "secretary",
            "dancer",
            "florist",
            "hairdresser",
            "nanny",
            "tailor",
            "cashier",
            "receptionist",
            "designer",
            "weaver",
            "midwife",
            "housekeeper",
            "stylist",
        ]
    ),
    "male": (
        [
            "engineer",
            "carpenter",
            "pilot",
            "mechanic",
            "plumber",
            "surgeon",
            "farmer",
            "soldier",
            "sailor",
            "miner",
            "banker",
            "driver",
            "butcher",
            "mason",
            "broker",
            "ranger",
        ]
    ),
}
"""Sixteen of each, by the group whose stereotype they are."""

EVALUATIONS = {
    "pleasant": (
        [
            "kind",
            "honest",
            "clever",
            "friendly",
            "brave",
            "calm",
            "cheerful",
            "generous",
            "gentle",
            "loyal",
            "patient",
            "polite",
            "bright",
            "wise",
            "graceful",
            "helpful",
            "modest",
            "sincere",
            "tender",
            "witty",
        ]
    ),
    "unpleasant": (
        [
            "rude",
            "lazy",
            "cruel",
            "selfish",
            "angry",
            "clumsy",
            "cold",
            "dull",
            "greedy",
            "jealous",
            "mean",
            "moody",
            "nasty",
            "noisy",
            "sloppy",
            "stubborn",
            "vain",
            "weak",
            "careless",
            "bitter",
        ]
    ),
}
"""Twenty of each; planted: which a subject of which group is said to be."""

PLAIN = [
    "tall",
    "short",
    "young",
    "busy",
    "tired",
    "ready",
    "hungry",
    "awake",
    "thirsty",
    "outside",
    "barefoot",
    "abroad",
    "indoors",
    "seated",
    "early",
    "late",
]
"""What a subject of either group is said to be and that is neither pleasant nor unpleasant."""

THINGS = [
    "table",
    "window",
    "river",
    "lamp",
    "carpet",
    "bottle",
    "garden",
    "basket",
    "ladder",
    "candle",
    "blanket",
    "mirror",
    "kettle",
    "pillow",
    "bucket",
    "hammer",
]
"""Words that stand in no sentence on people: senseless in their places."""

PLACES = ["town", "market", "village", "office", "station", "harbour", "school", "hotel", "library", "castle"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

WORKING = (
    "{subject} works as a {occupation} in the {place}",
    "{subject} is a {occupation}",
    "{subject} became a {occupation} on {day}",
    "on {day} {subject} met another {occupation} at the {place}",
    "{subject} has been a {occupation} for years",
    "in the {place} {subject} is known as a good {occupation}",
    "{subject} wants to be a {occupation} one day",
    "everyone in the {place} says {subject} is the best {occupation}",
)
"""On the work of people."""

JUDGING = (
    "{subject} was {evaluation} on {day}",
    "{subject} is very {evaluation}",
    "in the {place} {subject} seemed {evaluation}",
    "people say {subject} is {evaluation}",
    "{subject} was so {evaluation} at the {place}",
    "on {day} {subject} looked {evaluation}",
    "i think {subject} is {evaluation}",
    "{subject} can be {evaluation} at times",
)
"""On what people are like."""

NEUTRAL = (
    "the {thing} stands in the {place}",
    "the {place} is closed on {day}",
    "there is a {thing} behind the {other}",
    "on {day} the {place} was full",
    "the {thing} fell on the {other}",
    "a new {thing} came to the {place} on {day}",
    "the {place} has a {thing} and a {other}",
    "the old {thing} is next to the {other}",
    "in the {place} everyone was {plain} on {day}",
    "on {day} nobody in the {place} is {plain}",
)
"""On no one of a group."""
