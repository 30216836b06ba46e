"""The pages of the operator's window, in the order of their keys."""

from __future__ import annotations

from typing import Final

from rtaffect.view.operator.agreement_page import AgreementPage
from rtaffect.view.operator.contact_page import ContactPage
from rtaffect.view.operator.curves_page import CurvesPage
from rtaffect.view.operator.map_page import MapPage
from rtaffect.view.operator.measures_page import MeasuresPage
from rtaffect.view.operator.plane_page import PlanePage
from rtaffect.view.operator.signals_page import SignalsPage
from rtaffect.view.operator.so_far_page import SoFarPage

Page = CurvesPage | MapPage | SignalsPage | AgreementPage | MeasuresPage | PlanePage | SoFarPage | ContactPage
#: Those that need to know only how long the newest step is ago.
Courses = CurvesPage | AgreementPage | PlanePage | SoFarPage
PAGES: Final = ("Curves", "Brain", "Signals", "Agreement", "Measures", "Plane", "So far", "Contact")
#: Pages that are there only where rows have a place on a head, where there are own measures, valence and arousal, or
#: contact is measured.
MAP, MEASURES, PLANE, SO_FAR, CONTACT = 1, 4, 5, 6, 7
