"""A language that nobody speaks: each text of ours in accents and brackets, and 40 % longer.

What a page or a mail has outside the brackets did not come through the catalogue.
"""

import re
from pathlib import Path

from babel.messages.catalog import Catalog
from justhtml import JustHTML

from app.languages.speech import DOMAIN
from app.languages.table import Language
from tests.translations import catalogues

ACCENTS = str.maketrans("aceinorsuyACEINORSUY", "áçéíñóŕšúýÁÇÉÍÑÓŔŠÚÝ")
# Placeholders, tags, addresses, and the names of AWS's console, which stay in English.
KEPT = re.compile(r"%\(\w+\)s|<[^>]+>|https?://\S+|“?(?:Manage subscriptions|Set up your account)(?:”|(?=</strong>))")
BRACKETED = re.compile("⟦[^⟦⟧]*⟧", re.DOTALL)
STYLE = re.compile("<style>.*?</style>", re.DOTALL)
ISOLATES = str.maketrans("", "", "\u2068\u2069\u200f")
READ_ALOUD = ("aria-label", "alt", "title", "placeholder")


def pseudo(english: str) -> str:
    """Return the text in the language."""
    parts = re.split(f"({KEPT.pattern})", english)
    accented = "".join(part if index % 2 else part.translate(ACCENTS) for index, part in enumerate(parts))
    words = len(KEPT.sub("", english)) * 2 // 5
    return f"⟦{accented}{' łóñğ' * max(words // 5, 1)}⟧"


def write_catalogue(folder: Path, language: Language) -> Path:
    """Write the catalogue in the place of the language's, and return the folder."""
    catalogue = Catalog(locale=language.folder, domain=DOMAIN)
    for message in catalogues.extract():
        if isinstance(message.id, tuple):
            catalogue.add(message.id, tuple(pseudo(message.id[1]) for _ in range(catalogue.num_plurals)))
        elif message.id:
            catalogue.add(message.id, pseudo(str(message.id)))
    path = folder / language.folder / "LC_MESSAGES" / f"{DOMAIN}.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(catalogues.as_mo(catalogue))
    return folder


def words_of_page(page: str) -> str:
    """Return the title, the words and what is read aloud of a page without the switch of languages."""
    html = JustHTML(STYLE.sub("", page), sanitize=False)
    switch = "".join(item.to_text() for item in html.query(".languages"))
    spoken = [(element.attrs or {}).get(name) or "" for name in READ_ALOUD for element in html.query(f"[{name}]")]
    titles = [title.to_text() for title in html.query("title")]
    # The switch is the last of the page.
    return "\n".join([*titles, *map(str, spoken), html.to_text().replace(switch, "")])


def outside_brackets(words: str) -> str:
    """Return what did not come through the catalogue."""
    words = words.translate(ISOLATES)
    while BRACKETED.search(words):
        words = BRACKETED.sub(" ", words)
    return " ".join(words.split())


def is_used(english: str, texts: str) -> bool:
    """Return whether one of the pages and mails has the text."""
    return all(part in texts for part in re.split(r"%\(\w+\)s", pseudo(english)))
