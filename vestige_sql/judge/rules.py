"""The rules of a verdict, as the command line gives them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from vestige_sql.errors import UsageError

COMPARED = ("ndcg@10", "recall@1", "recall@10", "mrr")
"""The measures that both spaces have, which a rule may be about."""

VERDICTS = {"GO": 0, "NO-GO": 3, "INCONCLUSIVE": 4}
"""The verdicts with the exit codes of ``vestige-sql migrate judge``."""


@dataclass(frozen=True)
class Rule:
    """What has to hold. ``sql/judge/72_verdict.sql`` says when it does.

    ``kind`` is "max_drop", "min_gain" or "max_p95_ms".
    ``slice`` is "" for all questions and "*" for each slice. ``measure`` is one of :data:`COMPARED`, and "" for
    "max_p95_ms".
    """

    kind: str
    value: float
    measure: str = "ndcg@10"
    slice: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


DEFAULT = Rule("max_drop", 0.02)
"""The rule unless another ``max_drop`` is given: nDCG@10 over all questions may drop by 0.02."""


def read_rule(kind: str, text: str) -> Rule:
    """Return the rule that ``text`` says: VALUE, MEASURE=VALUE or MEASURE/SLICE=VALUE. Raises :class:`UsageError`."""
    named, _, number = text.rpartition("=")
    measure, slash, part = named.partition("/")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1 or (named and measure.lower() not in COMPARED) or (slash and not part):
        raise UsageError(
            f"{text} is no rule for a measure",
            "write VALUE, MEASURE=VALUE or MEASURE/SLICE=VALUE, with a value from 0 to 1 and one of "
            f"{', '.join(COMPARED)}, such as 0.02, recall@10=0.01 or ndcg@10/de=0.05; the slice * is each slice; "
            "nothing was written",
        )
    return Rule(kind, value, measure.lower() or Rule.measure, part)


def with_default(rules: list[Rule]) -> list[Rule]:
    """Return ``rules``, and before them :data:`DEFAULT` where none of them says how far a measure may drop."""
    return rules if any(rule.kind == "max_drop" for rule in rules) else [DEFAULT, *rules]
