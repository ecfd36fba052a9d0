"""Invented people and places for the records.

Addresses are from the ranges reserved for documentation, and every domain ends in `.example`.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator import chance

_NAMES = (
    "Ada Brandt", "Øyvind Håkonsen", "Zoë Müller-Lüdenscheid", "佐藤 美咲", "王小明", "김서연",
    "Дмитрий Орлов", "Ελένη Παπαδοπούλου", "ليلى حداد", "נועה לוי", "अनन्या शर्मा", "สมชาย ใจดี",
    "Łukasz Wójcik", "Çağla Yılmaz", "José Ñúñez", "Nguyễn Thị Hương", "Siân O'Connor",
    'Bo "Buzz" Lind', "Team 🚀 Service", "Grace Okafor", "Tomáš Dvořák", "Mārtiņš Bērziņš",
    "Saoirse Byrne", "Ivan Petrov\\Admin", "Kofi Mensah", "Freya Lindqvist", "André Moreau",
    "Rosa Delgado", "Hans-Jürgen Groß", "Amélie d'Hiver", "Jun 田中", "Pia Ek",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """A user: a display name, a user principal name and a directory id."""

    name: str
    upn: str
    guid: str


@dataclass(frozen=True, slots=True)
class Place:
    """The location of an address. Coordinates are text, because their trailing zeros matter."""

    ip: str
    country: str
    city: str
    region: str
    latitude: str
    longitude: str
    organization: str


_CITIES = (
    ("DE", "Köln", "Nordrhein-Westfalen", "50.93330000", "6.95000000", "Rheinnetz"),
    ("NL", "Amsterdam", "Noord-Holland", "52.30905000", "4.94025000", "Polder Online"),
    ("IL", "Haifa", "Haifa", "32.81560000", "34.98920000", "Carmel Access"),
    ("JP", "札幌市", "北海道", "43.06410000", "141.34690000", "Kita Telecom"),
    ("US", "Tacoma", "Washington", "47.25290000", "-122.44430000", "Sound Fiber"),
    ("BR", "São José", "Santa Catarina", "-27.61360000", "-48.63660000", "Ilha Banda"),
    ("GB", "Leeds", "England", "53.79650000", "-1.54780000", "Aire Broadband"),
    ("AU", "Hobart", "Tasmania", "-42.87940000", "147.32940000", "Derwent Net"),
)


def guid(raw: bytes) -> str:
    """Write 16 bytes as a version 4 identifier."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def people(seed: int) -> list[Person]:
    """Return the people of a tenant; the first names are the same in every tenant."""
    ids = [guid(chance.digest(seed, "person", number, 16)) for number in range(len(_NAMES))]
    return [
        Person(name, f"user{number:02}@{domain(number)}", ids[number])
        for number, name in enumerate(_NAMES)
    ]


def domain(number: int) -> str:
    """Return the domain of a person: that of the tenant, or of its guests."""
    return "guests.ferrowood.example" if number % 7 == 0 else "ferrowood.example"


def places() -> list[Place]:
    """Return the addresses of activities, with their locations."""
    blocks = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:51::")
    return [
        Place(f"{block}{10 + number}", *city)
        for block in blocks
        for number, city in enumerate(_CITIES)
    ]
