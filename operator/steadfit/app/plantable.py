"""What the engine asks of the table of kinds; `planners` fills it, tests fill it with toys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from steadfit.core.types import Plan
from steadfit.kube.cache import JSONObject
from steadfit.kube.resources import Resource

from .observe import Observer

Planner = Callable[[JSONObject, datetime], Plan]
"""Decides over one object of the cache at one time."""

PlanTable = Callable[[Observer], Mapping[Resource, Planner]]
"""Returns the planner of every own kind."""
