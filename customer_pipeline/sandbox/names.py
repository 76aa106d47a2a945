"""Invented customers' names, by language. Data only."""
# ruff: noqa: RUF001 -- letters of other scripts are the point

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """What people and companies of a language are called; `family_first` is the order within the full name."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    companies: tuple[str, ...]
    family_first: bool = False
    separator: str = " "


NAMES = {
    "de": Names(
        ("Jürg", "Zoë", "Käthe", "Björn", "Anneliese", "Sören", "Heidi", "Ueli", "Marie-Luise", "Günther"),
        ("Müller", "Größmann", "von Rütte", "Bächli", "Weiß", "Schönenberger", "Jäggi", "Köppel-Öhler", "Hürlimann"),
        ("Bäckerei Blümli", "Übersee Handels GmbH", "Muster AG", "Spätzle & Söhne", "Glärnisch Optik"),
    ),
    "fr": Names(
        ("Chloé", "François", "Maëlle", "Jean-Noël", "Hélène", "Gaël", "Inès", "Théo"),
        ("Lefèvre", "d'Aubigné", "Château", "Le Goff", "Besançon", "L’Hôte", "Crête", "Muñoz-Garçon"),
        ("Boulangerie Été", "Société Générique", "Cœur & Fils SARL", "Atelier du Goût"),
    ),
    "en": Names(
        ("Mary Ann", "John", "Siobhán", "Quentin", "Ayo", "Beatrix", "Seán", "Olivia"),
        ("O'Brien", "Smith-Jones", "McAllister", "Null", "Fitzgerald III", "Okonkwo", "True", "Van der Berg"),
        ("Acme Widgets, Inc.", "Example & Co.", "Fake Brothers Ltd", "Sample Street Partners LLP"),
    ),
    "pl": Names(
        ("Łukasz", "Małgorzata", "Wójciech", "Żaneta", "Święta"),
        ("Wiśniewski", "Dąbrowska", "Źrebiec", "Gżegżółka", "Nowak"),
        ("Zakład Próbny", "Żółw i Spółka", "Przykład Sp. z o.o."),
    ),
    "cs": Names(
        ("Jiří", "Anežka", "Řehoř", "Květa", "Ondřej"),
        ("Dvořák", "Novotná", "Šťastný", "Přibyl", "Čápková"),
        ("Vzorek s.r.o.", "Příklad a syn", "Dům U Tří čápů"),
    ),
    "es": Names(
        ("José Ángel", "Begoña", "Íñigo", "María del Mar", "Ximena"),
        ("Núñez Peña", "García", "Ibáñez y Muñoz", "Güell", "de la Fuente"),
        ("Ejemplos Peñalara S.A.", "Niños y Compañía", "La Muestra"),
    ),
    "vi": Names(
        ("Thị Hồng", "Văn Dũng", "Quỳnh", "Đức", "Mỹ Linh"),
        ("Nguyễn", "Trần", "Phạm", "Đặng", "Hoàng"),
        ("Công ty Ví Dụ", "Mẫu Thử", "Đường Sắt Giả"),
        family_first=True,
    ),
    "ru": Names(
        ("Анна", "Фёдор", "Юлия", "Щедрин", "Дмитрий", "Ольга"),
        ("Иванова", "Ёлкин", "Щукин", "Объедков", "Цветаева", "Мышкин"),
        ("ООО Пример", "Образец и Ко", "Выдумка"),
    ),
    "el": Names(
        ("Γιώργος", "Ελένη", "Άννα", "Νίκος", "Ζωή"),
        ("Παπαδόπουλος", "Ωραιοπούλου", "Ψαρράς", "Ξένου", "Ίσαρης"),
        ("Παράδειγμα Α.Ε.", "Δοκιμή", "Ανύπαρκτος ΟΕ"),
    ),
    "ar": Names(
        ("محمد", "فاطمة", "يوسف", "نورة", "عبد الرحمن"),
        ("الخيالي", "بن مثال", "المصري", "حدّاد", "النموذجي"),
        ("شركة المثال", "مؤسسة النموذج", "بيت التجربة"),
    ),
    "zh": Names(
        ("伟", "芳", "小明", "秀英", "子涵", "㐂"),
        ("王", "李", "欧阳", "張", "司马"),
        ("示例有限公司", "虚构集团", "样品商行"),
        family_first=True,
        separator="",
    ),
    "ja": Names(
        ("さくら", "ケンジ", "太郎", "花子", "ユウキ", "あゆみ"),
        ("山田", "佐藤", "髙橋", "渡邊", "サンプル"),
        ("株式会社サンプル", "例え商事", "架空堂"),
        family_first=True,
        separator="\u3000",
    ),
    "ko": Names(
        ("민준", "서연", "길동", "하늘", "지우"),
        ("김", "이", "박", "홍", "남궁"),
        ("주식회사 예시", "가상상사", "견본나라"),
        family_first=True,
        separator="",
    ),
}
