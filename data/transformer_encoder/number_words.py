"""Spells the numbers 1 to 9999 in six languages."""

from __future__ import annotations


def words(text: str) -> list[str]:
    """A table of number words; index 0 stands for nothing."""
    return ["", *text.split()]


EN_UNITS = words(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
EN_TENS = words("ten twenty thirty forty fifty sixty seventy eighty ninety")
DE_UNITS = words(
    "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn "
    "sechzehn siebzehn achtzehn neunzehn"
)
DE_TENS = words("zehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
NL_UNITS = words(
    "een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien "
    "zestien zeventien achttien negentien"
)
NL_TENS = words("tien twintig dertig veertig vijftig zestig zeventig tachtig negentig")
FR_UNITS = words(
    "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize "
    "dix-sept dix-huit dix-neuf"
)
FR_TENS = words("dix vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt")
ES_UNITS = words(
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés "
    "veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve"
)
ES_TENS = words("diez veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa")
ES_HUNDREDS = words(
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos "
    "novecientos"
)
IT_UNITS = words(
    "uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici "
    "quindici sedici diciassette diciotto diciannove"
)
IT_TENS = words("dieci venti trenta quaranta cinquanta sessanta settanta ottanta novanta")


def english(n: int) -> str:
    """E.g. 4321: four thousand three hundred twenty-one."""
    if n >= 1000:
        return f"{EN_UNITS[n // 1000]} thousand {english(n % 1000)}".strip()
    if n >= 100:
        return f"{EN_UNITS[n // 100]} hundred {english(n % 100)}".strip()
    if n < 20:
        return EN_UNITS[n]
    return f"{EN_TENS[n // 10]}-{EN_UNITS[n % 10]}".strip("-")


def german(n: int) -> str:
    """E.g. 4321: viertausenddreihunderteinundzwanzig."""
    if n >= 1000:
        return f"{DE_UNITS[n // 1000]}tausend{german(n % 1000)}"
    if n >= 100:
        return f"{DE_UNITS[n // 100]}hundert{german(n % 100)}"
    if n < 20:
        return "eins" if n == 1 else DE_UNITS[n]
    return f"{DE_UNITS[n % 10]}und{DE_TENS[n // 10]}" if n % 10 else DE_TENS[n // 10]


def dutch(n: int) -> str:
    """E.g. 4322: vierduizend driehonderdtweeëntwintig."""
    if n >= 1000:
        thousands = NL_UNITS[n // 1000] if n >= 2000 else ""
        return f"{thousands}duizend {dutch(n % 1000)}".strip()
    if n >= 100:
        hundreds = NL_UNITS[n // 100] if n >= 200 else ""
        return f"{hundreds}honderd{dutch(n % 100)}"
    if n < 20:
        return "één" if n == 1 else NL_UNITS[n]
    if n % 10 == 0:
        return NL_TENS[n // 10]
    unit = NL_UNITS[n % 10]
    return f"{unit}{'ën' if unit.endswith('e') else 'en'}{NL_TENS[n // 10]}"


def french(n: int) -> str:
    """E.g. 4321: quatre mille trois cent vingt et un."""
    if n >= 1000:
        thousands = FR_UNITS[n // 1000] if n >= 2000 else ""
        return f"{thousands} mille {french(n % 1000)}".strip()
    if n >= 100:
        hundreds = f"{FR_UNITS[n // 100]} cent" if n >= 200 else "cent"
        plural = "s" if n % 100 == 0 and n >= 200 else ""
        return f"{hundreds}{plural} {french(n % 100)}".strip()
    if n < 20:
        return FR_UNITS[n]
    tens, rest = divmod(n, 10)
    if tens in (7, 9):
        rest += 10
    if rest in (1, 11) and tens < 8:
        return f"{FR_TENS[tens]} et {FR_UNITS[rest]}"
    return "quatre-vingts" if n == 80 else f"{FR_TENS[tens]}-{FR_UNITS[rest]}".strip("-")


def spanish(n: int) -> str:
    """E.g. 4321: cuatro mil trescientos veintiuno."""
    if n >= 1000:
        thousands = ES_UNITS[n // 1000] if n >= 2000 else ""
        return f"{thousands} mil {spanish(n % 1000)}".strip()
    if n >= 100:
        return "cien" if n == 100 else f"{ES_HUNDREDS[n // 100]} {spanish(n % 100)}".strip()
    if n < 30:
        return ES_UNITS[n]
    return f"{ES_TENS[n // 10]} y {ES_UNITS[n % 10]}" if n % 10 else ES_TENS[n // 10]


def italian(n: int) -> str:
    """E.g. 4321: quattromilatrecentoventuno."""
    if n >= 1000:
        thousands = f"{IT_UNITS[n // 1000]}mila" if n >= 2000 else "mille"
        return thousands + italian(n % 1000)
    if n >= 100:
        hundreds = IT_UNITS[n // 100] if n >= 200 else ""
        return f"{hundreds}cento{italian(n % 100)}"
    if n < 20:
        return IT_UNITS[n]
    tens, unit = IT_TENS[n // 10], IT_UNITS[n % 10]
    if unit in ("uno", "otto"):
        tens = tens[:-1]
    return tens + ("tré" if unit == "tre" else unit)


LANGUAGES = {
    "English": english,
    "German": german,
    "Dutch": dutch,
    "French": french,
    "Spanish": spanish,
    "Italian": italian,
}
