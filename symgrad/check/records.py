"""`Report`: what was compared with what, where, and how far apart it was."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        what: "d_x", "L", "step 3 of the gradient of x".
        subject: what was run: "generated numpy", "torch fused".
        reference: against whom.
        where: sizes and dtype.
        error: the worst error, relative to the largest value of the reference.
        limit: the largest error that passes.
    """

    what: str
    subject: str
    reference: str
    where: str
    error: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the error is within its limit; NaN is not."""
        return self.error <= self.limit


@dataclass(frozen=True)
class Report:
    """All comparisons for a layer; `skipped` says what could not be run, and why."""

    layer: str
    checks: tuple[Check, ...]
    skipped: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every comparison passed, and there was at least one."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def worst(self, what: str) -> Check | None:
        """The comparison of `what` with the largest share of its limit used."""
        found = [check for check in self.checks if check.what == what]
        return max(found, key=lambda check: (check.error != check.error, check.error / check.limit), default=None)
