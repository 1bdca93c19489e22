"""The SDK of training containers: load the data, describe the features, save the model.

import steadfit_sdk as steadfit
from sklearn.ensemble import RandomForestClassifier

table = steadfit.load_data("flights")
features = steadfit.features(table, exclude=["late", "time_hour"])
model = RandomForestClassifier(steadfit.params()["trees"], random_state=steadfit.seed())
model.fit(steadfit.encode(table, features), table["late"])
steadfit.save(model, features, table)
"""

from steadfit_artifact.signature import Feature

from steadfit_sdk.inputs import load_data, params, seed
from steadfit_sdk.saving import save
from steadfit_sdk.table import encode, features

__all__ = ["Feature", "encode", "features", "load_data", "params", "save", "seed"]
