"""Invented customers' addresses and telephone numbers, by country. Data only.

A `#` is a random digit. The numbers lie in ranges set aside for fiction, or among 555 numbers, and are valid by
libphonenumber's rules, so that only the dirt put on purpose is invalid.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """A country and what is written of it; `weight` is how many customers live there compared with the others.

    Attributes:
        spellings: its alpha-3 code, number and names.
        cities: each with its region and postal code.
        international: telephone numbers with the country's code.
        national: telephone numbers without it.
    """

    weight: int
    language: str
    alpha2: str
    spellings: tuple[str, ...]
    cities: tuple[tuple[str, str, str], ...]
    streets: tuple[str, ...]
    international: tuple[str, ...]
    national: tuple[str, ...]


COUNTRIES = (
    Country(
        24,
        "de",
        "CH",
        ("CHE", "756", "Switzerland", "ch"),
        (("Zürich", "ZH", "8001"), ("Bern", "BE", "3011"), ("St. Gallen", "SG", "9000"), ("Chur", "GR", "7000")),
        ("Bahnhofstrasse {n}", "Im Gässli {n}", "Postfach {n}"),
        ("+41 44 555 ## ##", "+4179555####", "0041 44 555 ## ##"),
        ("044 555 ## ##", "079/555.##.##", "(044) 555####"),
    ),
    Country(
        14,
        "de",
        "DE",
        ("DEU", "276", "Germany", "Federal Republic of Germany"),
        (("Berlin", "Berlin", "10115"), ("Köln", "NRW", "50667"), ("Görlitz", "Sachsen", "02826")),
        ("Straße des 17. Versuchs {n}", "Ährenweg {n} a", "Schloßallee {n}"),
        ("+49 30 23125 ###", "+49-30-23125###"),
        ("030 23125 ###", "(030) 23125###"),
    ),
    Country(
        10,
        "fr",
        "FR",
        ("FRA", "250", "France", "French Republic"),
        (("Besançon", "Bourgogne-Franche-Comté", "25000"), ("Orléans", "", "45000"), ("Saint-Étienne", "", "42000")),
        ("{n} bis, rue de l'Été", "{n} allée des Chênes", "{n} place Inventée"),
        ("+33 1 99 00 ## ##", "+33199 00####"),
        ("01 99 00 ## ##", "01.99.00.##.##"),
    ),
    Country(
        12,
        "en",
        "US",
        ("USA", "840", "United States", "United States of America"),
        (("Washington", "DC", "20001"), ("Springfield", "IL", "62701"), ("Truth or Consequences", "NM", "87901")),
        ("{n} Elm St", "{n} Broadway, Apt. 4B", "P.O. Box {n}"),
        ("+1 202-555-01##", "+1 (202) 555 01##", "+1202555 01##"),
        ("(202) 555-01##", "202.555.01##", "1-202-555-01##"),
    ),
    Country(
        8,
        "en",
        "GB",
        ("GBR", "826", "United Kingdom"),
        (
            ("London", "", "SW1A 1AA"),
            ("Llanfairpwllgwyngyll", "Wales", "LL61 5UJ"),
            ("Stow-on-the-Wold", "", "GL54 1AA"),
        ),
        ("{n} Imaginary Lane", "Flat {n}, Rose House", "The Old Barn"),
        ("+44 20 7946 0###", "+44 (0)20 7946 0###"),
        ("020 7946 0###", "02079460###"),
    ),
    Country(
        4,
        "pl",
        "PL",
        ("POL", "616", "Poland"),
        (("Łódź", "łódzkie", "90-001"), ("Wrocław", "dolnośląskie", "50-001")),
        ("ul. Zmyślona {n}", "al. Żółta {n}/12"),
        ("+48 22 555 ## ##",),
        ("22 555 ## ##",),
    ),
    Country(
        3,
        "cs",
        "CZ",
        ("CZE", "203", "Czechia", "Czech Republic"),
        (("Plzeň", "", "301 00"), ("Ústí nad Labem", "", "400 01")),
        ("Smyšlená {n}", "náměstí Příkladu {n}"),
        ("+420 222 555 ###",),
        ("222 555 ###",),
    ),
    Country(
        4,
        "es",
        "ES",
        ("ESP", "724", "Spain", "Kingdom of Spain"),
        (("A Coruña", "Galicia", "15001"), ("Móstoles", "Madrid", "28931")),
        ("C/ Inventada, {n}, 3º dcha.", "Plaza del Ejemplo {n}"),
        ("+34 91 555 ## ##",),
        ("91 555 ## ##",),
    ),
    Country(
        2,
        "vi",
        "VN",
        ("VNM", "704", "Viet Nam"),
        (("Hà Nội", "", "100000"), ("Đà Nẵng", "", "550000")),
        ("{n} Đường Tưởng Tượng",),
        ("+84 24 3555 ####",),
        ("024 3555 ####",),
    ),
    Country(
        5,
        "ru",
        "RU",
        ("RUS", "643", "Russian Federation"),
        (("Москва", "", "101000"), ("Орёл", "Орловская обл.", "302000")),
        ("ул. Выдуманная, д. {n}", "Щёлковское ш., {n}, кв. 7"),
        ("+7 495 555-##-##", "+7(495)555####"),
        ("8 (495) 555-##-##",),
    ),
    Country(
        3,
        "el",
        "GR",
        ("GRC", "300", "Greece", "Hellenic Republic"),
        (("Αθήνα", "Αττική", "105 57"), ("Θεσσαλονίκη", "", "546 21")),
        ("Οδός Φαντασίας {n}",),
        ("+30 21 0555 ####",),
        ("21 0555 ####",),
    ),
    Country(
        3,
        "ar",
        "EG",
        ("EGY", "818", "Egypt", "Arab Republic of Egypt"),
        (("القاهرة", "", "11511"), ("الإسكندرية", "", "21500")),
        ("شارع الخيال {n}",),
        ("+20 2 2555 ####",),
        ("02 2555 ####",),
    ),
    Country(
        3,
        "zh",
        "CN",
        ("CHN", "156", "China", "People's Republic of China"),
        (("北京", "北京市", "100000"), ("西安", "陕西省", "710000")),
        ("示例路{n}号",),
        ("+86 10 5550 ####",),
        ("010 5550 ####",),
    ),
    Country(
        3,
        "ja",
        "JP",
        ("JPN", "392", "Japan"),
        (("東京都", "新宿区", "160-0022"), ("京都市", "京都府", "〒600-8216")),
        ("架空町{n}丁目", "サンプル{n}-{n}"),
        ("+81 3-5550-####",),
        ("03-5550-####",),
    ),
    Country(
        2,
        "ko",
        "KR",
        ("KOR", "410", "Korea, Republic of"),
        (("서울특별시", "중구", "04524"), ("부산광역시", "", "48058")),
        ("가상로 {n}길",),
        ("+82 2-555-####",),
        ("02-555-####",),
    ),
)
