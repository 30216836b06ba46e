"""What a lab adds to each step: its own measures of a person's, a pair's or a group's window.

:class:`Measure` is what is written, :class:`Window` what it gets, :class:`Values` what it may return beside an array.
"""

from rtaffect.measures.measure import Measure, MeasureValues, Values, Window

__all__ = ["Measure", "MeasureValues", "Values", "Window"]
