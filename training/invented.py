"""Invented names and sentences about them: a model that has met few Korean names must still tell one from another.

A Korean name gets the vector that the teacher gives its romanisation, so that the same name in a question and in a
passage point the same way, whichever language either is in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from training.table import Pair

SOURCE, DOMAIN = "invented", "invented"
_INITIALS = ["g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h"]
_VOWELS = [
    "a",
    "ae",
    "ya",
    "yae",
    "eo",
    "e",
    "yeo",
    "ye",
    "o",
    "wa",
    "wae",
    "oe",
    "yo",
    "u",
    "wo",
    "we",
    "wi",
    "yu",
    "eu",
]
_VOWELS += ["ui", "i"]
_FINALS = ["", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "ng"]
_FINALS += ["t", "t", "k", "t", "p", "t"]
_FAMILY = [
    *"김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용"
]
_GIVEN = [
    *"가강건경고광교구국권규근금기길나남노다단달담대덕도동두라란래려련렬례로록루류륜률리린림마만매명모목묘무문미민박반방배백범벽별병보복본봉부비빈사산상새서석선설섭성세소솔송수숙순슬승시식신실심아악안애양언여연열염엽영예오옥온완왕용우욱운울웅원월위유육윤율은을음의이익인일임자잔장재적전정제조종주준중지직진차찬창채천철청초총추충치칠탁태택통평표풍하학한함해향허혁현형혜호홍화환황회효훈휘희"
]
_PLACE_ENDS = [
    ("시", " City"),
    ("군", " County"),
    ("동", "-dong"),
    ("리", "-ri"),
    ("산", " Mountain"),
    ("강", " River"),
    ("사", " Temple"),
]
_PLACE_ENDS += [
    ("성", " Fortress"),
    ("역", " Station"),
    ("대학교", " University"),
    ("시장", " Market"),
    ("섬", " Island"),
    ("공원", " Park"),
]
_JOBS = [
    ("배우", "actor"),
    ("가수", "singer"),
    ("작가", "writer"),
    ("정치인", "politician"),
    ("축구 선수", "football player"),
    ("화가", "painter"),
]
_JOBS += [
    ("물리학자", "physicist"),
    ("역사학자", "historian"),
    ("독립운동가", "independence activist"),
    ("야구 선수", "baseball player"),
]
_JOBS += [
    ("영화감독", "film director"),
    ("기업인", "businessperson"),
    ("의사", "doctor"),
    ("변호사", "lawyer"),
    ("시인", "poet"),
    ("장군", "general"),
]
_JOBS += [
    ("피아니스트", "pianist"),
    ("언론인", "journalist"),
    ("건축가", "architect"),
    ("요리사", "chef"),
    ("경제학자", "economist"),
    ("왕", "king"),
]

# 은/는, 이/가, 을/를 are chosen by the final consonant of the word before them.
_TEMPLATES = [
    (
        "{person}{은} {year}년 {place}에서 태어난 대한민국의 {job_ko}이다.",
        "{person_en} (born {year} in {place_en}) is a South Korean {job_en}.",
    ),
    ("{person}{은} {year}년에 {place}에서 세상을 떠났다.", "{person_en} died in {place_en} in {year}."),
    ("{person}{이} 태어난 곳은 어디인가?", "Where was {person_en} born?"),
    ("{job_ko} {person}{은} 언제 태어났나요?", "When was the {job_en} {person_en} born?"),
    (
        "{year}년에 {place}에서 열린 행사에 {person}{이} 참석했다.",
        "{person_en} attended an event held in {place_en} in {year}.",
    ),
    ("{place}{은} {other}의 동쪽에 있다.", "{place_en} lies to the east of {other_en}."),
    ("{place}{은} {year}년에 지어졌다.", "{place_en} was built in {year}."),
    ("{place}{을} 지은 사람은 누구인가?", "Who built {place_en}?"),
    (
        "{person}{이} 쓴 소설 《{work}》{은} {year}년에 출판되었다.",
        'The novel "{work_en}" by {person_en} was published in {year}.',
    ),
    ("《{work}》의 감독은 누구인가?", 'Who directed "{work_en}"?'),
    ("{person}{은} 영화 《{work}》에서 주연을 맡았다.", '{person_en} played the lead in the film "{work_en}".'),
    ("{person} 씨와 {place}에서 점심을 먹었다.", "I had lunch with {person_en} in {place_en}."),
    (
        "{month}월 {day}일 {person}{과} 회의: 다음 분기 예산",
        "Meeting with {person_en} on {month_en} {day}: budget for the next quarter",
    ),
    ("{person}에게 전화해서 {place} 예약을 확인하기", "Call {person_en} to confirm the booking at {place_en}"),
    (
        "{person} 팀장이 {work} 프로젝트의 일정을 {day}일까지 정리하기로 했다.",
        "Team leader {person_en} will sort out the schedule of the {work_en} project by day {day}.",
    ),
    ("{place}에 가려면 {other}에서 버스를 타야 한다.", "To get to {place_en}, take the bus from {other_en}."),
    (
        "{person}{은} {place} 출신의 {job_ko}{로}, {year}년부터 활동했다.",
        "{person_en} is a {job_en} from {place_en}, active since {year}.",
    ),
    ("{year}년 {person}의 군대는 {place}{을} 점령했다.", "In {year} the army of {person_en} captured {place_en}."),
    ("{place}의 인구는 몇 명인가?", "What is the population of {place_en}?"),
    (
        "{person}{이} {year}년에 발표한 앨범의 이름은?",
        "What is the name of the album that {person_en} released in {year}?",
    ),
    ("{person}{은} {other_person}의 제자이다.", "{person_en} is a student of {other_person_en}."),
    (
        "{person}{과} {other_person}{은} {place}에서 처음 만났다.",
        "{person_en} and {other_person_en} first met in {place_en}.",
    ),
    ("{person}의 아버지는 {other_person}{이다}.", "The father of {person_en} was {other_person_en}."),
    ("{work}{은} {person}{이} 세운 회사이다.", "{work_en} is a company founded by {person_en}."),
]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_PARTICLES = {
    "은": ("은", "는"),
    "이": ("이", "가"),
    "을": ("을", "를"),
    "과": ("과", "와"),
    "로": ("으로", "로"),
    "이다": ("이다", "다"),
}


def romanise(hangul: str) -> str:
    """Syllable by syllable after the Revised Romanization (2000), without the changes of sound between syllables."""
    out = []
    for char in hangul:
        place = ord(char) - 0xAC00
        if 0 <= place < 11172:
            out.append(_INITIALS[place // 588] + _VOWELS[place % 588 // 28] + _FINALS[place % 28])
        else:
            out.append(char)
    return "".join(out)


def person(generator: random.Random) -> tuple[str, str]:
    """A name and its romanisation, family name first."""
    family, given = generator.choice(_FAMILY), "".join(generator.choices(_GIVEN, k=generator.choice([1, 2, 2, 2, 2])))
    return family + given, f"{romanise(family).title()} {romanise(given).title()}"


def place(generator: random.Random) -> tuple[str, str]:
    """A place's name and its romanisation."""
    stem = "".join(generator.choices(_GIVEN, k=2))
    end, end_en = generator.choice(_PLACE_ENDS)
    return stem + end, romanise(stem).title() + end_en


def sentences(count: int, words: Sequence[tuple[str, str]], seed: int) -> Iterator[Pair]:
    """Invented sentences in both languages; `words` are (Korean, English) to name works and companies with."""
    generator = random.Random(seed)
    for _ in range(count):
        ko, en = generator.choice(_TEMPLATES)
        slots = _slots(generator, words)
        for name in [name for name in slots if not name.endswith("_en")]:
            ko = _fill(ko, name, slots[name])
        yield Pair(en.format(**slots), ko, SOURCE, DOMAIN)


def _slots(generator: random.Random, words: Sequence[tuple[str, str]]) -> dict[str, str]:
    slots = {"year": str(generator.randint(900, 2025)), "day": str(generator.randint(1, 28))}
    month = generator.randrange(12)
    slots |= {"month": str(month + 1), "month_en": _MONTHS[month]}
    for name, made in (
        ("person", person(generator)),
        ("other_person", person(generator)),
        ("place", place(generator)),
        ("other", place(generator)),
        ("work", generator.choice(words)),
    ):
        slots[name], slots[f"{name}_en"] = made
    slots["job_ko"], slots["job_en"] = generator.choice(_JOBS)
    return slots


def _fill(template: str, name: str, value: str) -> str:
    closed = (ord(value[-1]) - 0xAC00) % 28 != 0 if "가" <= value[-1] <= "힣" else False
    for particle, (after_consonant, after_vowel) in _PARTICLES.items():
        chosen = after_consonant if closed else after_vowel
        for mark in ("", "》"):
            template = template.replace(f"{{{name}}}{mark}{{{particle}}}", f"{value}{mark}{chosen}")
    return template.replace(f"{{{name}}}", value)


def mark(pair: Pair, rare: Sequence[str], generator: random.Random) -> Pair:
    """The pair with a name or a rare word in front of both sides."""
    if rare and generator.random() < 0.5:
        ko = generator.choice(rare)
        en = romanise(ko).title()
    else:
        ko, en = person(generator) if generator.random() < 0.5 else place(generator)
    joint = generator.choice([" ", ": ", ", ", " - "])
    return Pair(en + joint + pair.en, ko + joint + pair.ko, pair.source, pair.domain)
