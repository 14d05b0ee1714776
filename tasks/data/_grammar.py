"""The grammar of the synthetic assistant: domains of two intents that share their slots, and so can be confused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """Two intents over the same slots. Templates name slots in braces; ``ambiguous`` ones fit both intents alike."""

    intents: tuple[str, str]
    templates: tuple[tuple[str, ...], tuple[str, ...]]
    ambiguous: tuple[str, ...]


DOMAINS = (
    Domain(
        ("play_music", "save_song"),
        (
            ("play {song} by {artist}", "put on {song}", "i want to hear {artist}", "start {song} from {artist}", "let me listen to {song}"),
            ("save {song} by {artist}", "keep {song} in my library", "remember {song}", "bookmark {song} from {artist}", "store {artist} for later"),
        ),
        ("do {song} by {artist}", "{song} from {artist}", "it is about {song}"),
    ),
    Domain(
        ("lights_on", "lights_off"),
        (
            ("turn on the lights in the {room}", "light up the {room}", "make the {room} brighter", "switch the {room} lamp on"),
            ("turn off the lights in the {room}", "darken the {room}", "kill the {room} lights", "switch the {room} lamp off"),
        ),
        ("see to the lights in the {room}", "the {room} lamp", "change the {room} lights"),
    ),
    Domain(
        ("set_alarm", "cancel_alarm"),
        (
            ("wake me at {time} on {day}", "set an alarm for {time}", "alarm at {time} {day}", "ring at {time} on {day}"),
            ("cancel the {time} alarm", "drop my alarm on {day} at {time}", "no alarm at {time} {day}", "delete the alarm for {time}"),
        ),
        ("my {time} alarm", "the alarm at {time} on {day}", "about the alarm {day} {time}"),
    ),
    Domain(
        ("current_weather", "rain_forecast"),
        (
            ("how warm is it in {city}", "weather in {city} right now", "current temperature of {city}", "is it cold in {city}"),
            ("will it rain in {city} on {day}", "do i need an umbrella in {city}", "rain chances for {city} {day}", "is it going to pour in {city}"),
        ),
        ("sky over {city}", "what about {city} on {day}", "{city} outside"),
    ),
    Domain(
        ("add_item", "remove_item"),
        (
            ("add {item} to the {list} list", "put {item} on my {list} list", "we need {item}", "also get {item}"),
            ("remove {item} from the {list} list", "take {item} off my {list} list", "we have enough {item}", "skip the {item}"),
        ),
        ("{item} on the {list} list", "change {item} please", "the {list} list and {item}"),
    ),
    Domain(
        ("make_call", "send_message"),
        (
            ("call {person}", "ring up {person}", "phone {person} at {place}", "dial {person}"),
            ("text {person}", "write to {person}", "send {person} a message", "drop {person} a line"),
        ),
        ("reach {person}", "get in touch with {person}", "contact {person} at {place}"),
    ),
    Domain(
        ("book_table", "order_food"),
        (
            ("book a table at {restaurant} for {number}", "reserve {restaurant} on {day}", "a table for {number} at {restaurant}"),
            ("order from {restaurant}", "get {dish} delivered from {restaurant}", "bring me {dish} from {restaurant}"),
        ),
        ("dinner with {restaurant}", "{restaurant} for {number}", "something from {restaurant} {day}"),
    ),
    Domain(
        ("start_timer", "check_timer"),
        (
            ("start a timer for {duration}", "count down {duration}", "time {duration} for me"),
            ("how much is left of the {duration} timer", "check my {duration} timer", "is the {duration} timer done"),
        ),
        ("the {duration} timer", "timer {duration}", "my timer of {duration}"),
    ),
    Domain(
        ("directions", "traffic"),
        (
            ("how do i get to {city}", "navigate to {place} in {city}", "show the way to {place}"),
            ("how busy is the road to {city}", "any jams on the way to {place}", "traffic towards {city}"),
        ),
        ("the road to {city}", "going to {place} in {city}", "my way to {place}"),
    ),
    Domain(
        ("create_event", "list_events"),
        (
            ("schedule {event} on {day} at {time}", "add {event} to my calendar", "plan {event} for {day}"),
            ("what is on {day}", "when is {event}", "read my calendar for {day}"),
        ),
        ("{event} on {day}", "calendar {day}", "about {event} {day}"),
    ),
)

FILLERS = {
    "song": "yesterday|purple rain|clair de lune|take five|hey jude|blue moon|imagine|autumn leaves|so what|la mer|africa|hallelujah",
    "artist": "nina simone|the beatles|miles davis|adele|bach|fela kuti|bjork|prince|edith piaf|queen|ravi shankar|mozart",
    "room": "kitchen|bedroom|hall|living room|garage|bathroom|cellar|office|nursery|attic",
    "time": "six|half past seven|eight thirty|noon|five pm|nine|quarter to ten|midnight|six fifteen|eleven",
    "day": "monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|today",
    "city": "lisbon|new york|oslo|cairo|delhi|kyoto|lagos|quito|berlin|san francisco|nairobi|hanoi",
    "item": "milk|bread|green apples|rice|coffee|soap|batteries|olive oil|eggs|paper towels|cheese|tea",
    "list": "shopping|weekend|party|office|camping",
    "person": "maria|my brother|doctor lee|ahmed|grandma|sven|the landlord|priya|john smith|aunt rosa|kofi|yuki",
    "place": "work|home|the station|the airport|school|the museum",
    "restaurant": "blue door|casa mia|golden wok|the old mill|sakura|little paris|spice garden|north pier",
    "number": "two|three|four|five|six|eight",
    "dish": "pizza|noodles|a curry|two burgers|sushi|lentil soup",
    "duration": "five minutes|ten minutes|half an hour|one hour|ninety seconds|three minutes|twenty minutes",
    "event": "the dentist|team lunch|yoga|a parents meeting|the book club|choir practice",
}
OPENINGS = ("", "", "", "please", "hey", "could you", "i would like you to", "now", "ok", "listen")
CLOSINGS = ("", "", "", "", "please", "thanks", "right away", "when you can", "if possible", "for me")
