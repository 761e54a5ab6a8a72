"""Will this flight arrive a quarter of an hour late, or more? Asked when it has just left its gate."""

import lightgbm as lgb

from signalbox import Workflow

DEFAULTS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "cat_smooth": 50.0,
}
# Whoever leaves later arrives later: without this the trees learn steps from noise that the next week does not have.
RISING = {"departure_delay"}


class FlightDelay(Workflow):
    """Gradient-boosted trees over the flight, its weather and the aeroplane's previous arrival."""

    def train(self, training_dataframe, holdout_dataframe):
        """Fit a booster; the holdout stays out of it, so that its score is honest."""
        params = {**DEFAULTS, **self.lightgbm_params, **self.custom_params}
        params["monotone_constraints"] = [int(name in RISING) for name in self.classifier_features]
        rounds = int(params.pop("rounds", 100))
        data = lgb.Dataset(
            training_dataframe[self.classifier_features],
            label=training_dataframe[self.classifier_label].astype("float64"),
        )
        booster = lgb.train(params, data, num_boost_round=rounds)
        gains = booster.feature_importance("gain")
        for name, gain in zip(booster.feature_name(), gains / max(gains.sum(), 1e-9)):
            self.log_metric(f"gain_{name}", gain)
        return booster
