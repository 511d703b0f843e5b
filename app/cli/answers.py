"""Answers to the questions of the products: as lines for people, and as columns of an export."""

from collections.abc import Iterable, Iterator

from app.config.products import Product
from app.database.rows import RowDict

OTHER_ANSWERS = "other_answers"


def as_lines(row: RowDict) -> RowDict:
    """Return the row with one line for each answer: the question as it was asked, and what the buyer saw."""
    return {**row, "answers": [[answer["label"], answer["text"]] for answer in row["answers"] or []] or None}


def column_ids(products: Iterable[Product]) -> list[str]:
    """Return the ids of all questions that are asked now; two products may ask the same one."""
    return list(dict.fromkeys(question.id for product in products for question in product.questions.asked))


def column_names(ids: Iterable[str]) -> list[str]:
    """Return the names of the columns: one for each question, and one for the answers to all that is asked no more."""
    return [*(f"answer_{id_}" for id_ in ids), OTHER_ANSWERS]


def as_columns(rows: Iterable[RowDict], ids: list[str]) -> Iterator[RowDict]:
    """Yield the rows with a column for each question, of its value; other answers are kept whole."""
    for row in rows:
        answers = row.pop("answers") or []
        values = {answer["id"]: answer["value"] for answer in answers}
        row |= {f"answer_{id_}": values.get(id_) for id_ in ids}
        row[OTHER_ANSWERS] = [answer for answer in answers if answer["id"] not in ids] or None
        yield row
