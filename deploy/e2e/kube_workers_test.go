package e2e_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// together is a workflow that LightGBM trains in all of its pods at once, each with its share of the rows.
const together = `
apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: together}
spec:
  entrypoint: together:Together
  files:
    together.py:
      content: |
        import hashlib
        import time
        import lightgbm as lgb
        from signalbox import Workflow
        class Together(Workflow):
            def train(self, training_dataframe, holdout_dataframe):
                d = self.distributed
                if d.rank == 1 and self.custom_params.get("broken"):
                    raise ValueError("no more")
                mine = training_dataframe.iloc[d.shard(len(training_dataframe))]
                data = lgb.Dataset(mine[["departure_delay"]], mine[self.classifier_label])
                params = {"objective": "binary", **self.lightgbm_params, "num_leaves": 4, **d.lightgbm()}
                model = lgb.train(params, data, num_boost_round=2)
                made = hashlib.sha256(model.model_to_string().partition("end of trees")[0].encode()).hexdigest()
                print("models", d.gather(made), "of", d.gather(len(mine)), "rows at", params["machines"], flush=True)
                return model
`

// askWorkers requests a run of the workflow together in two pods.
func (k *kubeWorld) askWorkers(t *testing.T, params string) string {
	t.Helper()
	id := k.train(t, fmt.Appendf(nil, `{"model_name":"patient","owner":"e2e","compute_resource":{"compute_resource":"HIGH_MEMORY","workers":2},
	  "data":{"features":[{"dataset":"flight-delay@latest"}]},
	  "train":{"workflow_name":"together","classifier_features":["departure_delay"],"label":"late","custom_params":%s}}`, params))
	k.runs = append(k.runs, id)
	return id
}

// workers trains one model in two pods, and then one whose second pod fails.
func (k *kubeWorld) workers(t *testing.T) {
	k.apply(t, together)
	id := k.askWorkers(t, `{}`)
	k.wantEnd(t, id, "complete", 1)
	k.wantLog(t, id, "step publish\n")
	status, log := k.world.get(t, fmt.Sprintf("%s/v1/runs/%s/logs", k.Control, id))
	made := regexp.MustCompile(`models \['([0-9a-f]{64})', '([0-9a-f]{64})'\] of \[(\d+), (\d+)\] rows at ([0-9.]+):\d+,([0-9.]+):\d+`).FindStringSubmatch(string(log))
	if status != 200 || made == nil || made[1] != made[2] || made[3] == "0" || made[5] == made[6] {
		t.Errorf("the pods made %q, want one model of rows of both, at two addresses:\n%s", made, log)
	}
	run := k.wantEnd(t, k.askWorkers(t, `{"broken":true}`), "failed", 2)
	if !strings.Contains(run.Exception.Message, "rank 1: exit status 1: ValueError: no more") {
		t.Errorf("exception %+v, want rank 1 named", run.Exception)
	}
}
