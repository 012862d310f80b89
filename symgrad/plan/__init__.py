"""From proved gradients to a plan: statements in order, what is saved, what is computed once."""

from symgrad.plan.planner import make_plan
from symgrad.plan.records import Adjoint, KernelPlan, Procedure, Statement
from symgrad.plan.verdict import PlanError

__all__ = ["Adjoint", "KernelPlan", "PlanError", "Procedure", "Statement", "make_plan"]
