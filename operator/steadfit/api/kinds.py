"""All kinds, in the order in which a reader meets them."""

from . import artifactstore, metricsource, modelaction, modeldeployment, modelversion, trainingjob, trainingrun
from .base import Definition

DEFINITIONS: tuple[Definition, ...] = (
    trainingjob.DEFINITION,
    trainingrun.DEFINITION,
    modelversion.DEFINITION,
    modeldeployment.DEFINITION,
    modelaction.DEFINITION,
    artifactstore.DEFINITION,
    metricsource.DEFINITION,
)
