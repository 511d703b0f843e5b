"""Lighthouse finds nothing to mend on the pages; their speed, which depends on the machine, is for `make judge`."""

from tests.real import lighthouse

UNTIMED = lighthouse.CATEGORIES[1:]


def test_lighthouse_has_nothing_to_mend() -> None:
    verdicts = lighthouse.judge_brand("all", ["ar"], UNTIMED)

    assert len(verdicts) == len(lighthouse.PAGES)
    for verdict in verdicts:
        assert (verdict.scores, verdict.warnings) == (dict.fromkeys(UNTIMED, 1), []), verdict
