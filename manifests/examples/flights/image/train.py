"""Trains a forest that says whether a flight will be late, from what is known before it departs."""

import steadfit_sdk as steadfit
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

table = steadfit.load_data("flights")
features = steadfit.features(table, exclude=["late", "time_hour"])
params = steadfit.params()
forest = RandomForestClassifier(
    params["trees"], min_samples_leaf=params["leaf"], max_samples=params["share"], random_state=steadfit.seed()
)
model = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), forest)
model.fit(steadfit.encode(table, features), table["late"].to_numpy())
steadfit.save(model, features, table)
