"""The report on one outage: how long buyers waited, and whether anything that was acknowledged is lost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.endurance.registration_report import RegistrationCounts, format_figures
from tests.endurance.submissions import SubmissionLog
from tests.outages.visits import Visit

# What every buyer may count on, and what a machine may add that runs the buyers, the crowds, AWS and Foyer at once.
LONGEST_ANSWER_SECONDS, GRACE_SECONDS = 5.0, 1.0


@dataclass(frozen=True)
class OutageReport:
    """One run: its visits, its buyers' log, what the database has of it, and how many calls AWS received."""

    name: str
    visits: Sequence[Visit]
    log: SubmissionLog
    counts: RegistrationCounts
    aws_calls: int

    @property
    def slowest_answer(self) -> float:
        """The longest wait for one answer, in seconds."""
        return max((seconds for visit in self.visits for seconds in visit.answer_seconds), default=0)

    def faults(self) -> list[str]:
        """Return what must not be, in words; nothing where all is well."""
        unfinished = sum(not visit.is_finished for visit in self.visits)
        limit = LONGEST_ANSWER_SECONDS + GRACE_SECONDS
        counted = {
            "acknowledged registrations are lost": self.counts.lost,
            "registrations are there twice": self.counts.duplicates,
            "visits have no answer": unfinished,
            "answers are wrong": self.log.wrong_responses.total(),
        }
        slow = [f"an answer took {self.slowest_answer:.1f} s, more than {limit:.0f}"]
        return [f"{count} {words}" for words, count in counted.items() if count] + (
            slow if self.slowest_answer > limit else []
        )

    def __str__(self) -> str:
        seconds = sorted(visit.seconds for visit in self.visits)
        figures = {
            "begun": len(self.visits),
            "finished": sum(visit.is_finished for visit in self.visits),
            "p50": f"{percentile(seconds, 50):.2f} s",
            "p95": f"{percentile(seconds, 95):.2f} s",
            "max": f"{percentile(seconds, 100):.2f} s",
            "slowest_answer": f"{self.slowest_answer:.2f} s",
            "acknowledged": self.log.acknowledged,
            "unavailable": self.log.unavailable,
            "lost": self.counts.lost,
            "AWS_calls": self.aws_calls,
        }
        line = format_figures(self.name, figures)
        return "\n".join([line, *(f"    FAILED: {fault}" for fault in self.faults())])


def percentile(ascending: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least so many percent of the values do not exceed; 0 where there is none."""
    return ascending[max(math.ceil(len(ascending) * percent / 100) - 1, 0)] if ascending else 0
