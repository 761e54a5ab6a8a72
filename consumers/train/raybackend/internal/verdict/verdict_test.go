package verdict

import (
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

func quoting(code string, log string) string {
	return "Job entrypoint command failed with exit code " + code + ", last available logs (truncated to 20,000 chars):\n" + log
}

func TestStatus(t *testing.T) {
	for name, tc := range map[string]struct {
		failure Failure
		exit    int
		cause   train.Cause
		words   string
	}{
		"exit status":             {Failure{Type: "JOB_ENTRYPOINT_COMMAND_ERROR", Message: quoting("3", "Traceback\nValueError: no rows\n"), ExitCode: new(3)}, 3, "", "exit status 3: ValueError: no rows"},
		"exit status, in words":   {Failure{Message: quoting("3", "x\n")}, 3, "", "exit status 3: x"},
		"without a log":           {Failure{Message: "Job entrypoint command failed with exit code 3. No logs available.", ExitCode: new(3)}, 3, "", "exit status 3"},
		"a log that speaks of it": {Failure{Message: quoting("1", "failed with exit code 7\n")}, 1, "", "exit status 1: failed with exit code 7"},
		"signal, by a shell":      {Failure{Message: quoting("137", "epoch 3\n"), ExitCode: new(137)}, 137, "", "killed by signal 9"},
		"signal, by Python":       {Failure{Message: quoting("-11", ""), ExitCode: new(-11)}, 139, "", "killed by signal 11"},
		"kernel out of memory":    {Failure{Message: quoting("137", "epoch 3\nkilled: out of memory (limit 512 MiB, peak 511 MiB)\n"), ExitCode: new(137)}, 137, train.CauseOutOfMemory, "out of memory (limit 512 MiB"},
		"a log that only says so": {Failure{Message: quoting("1", "killed: out of memory\n"), ExitCode: new(1)}, 1, "", "exit status 1"},
		"Ray's memory monitor":    {Failure{Type: "JOB_SUPERVISOR_ACTOR_DIED", Message: "Job supervisor actor died: Task was killed due to the node running low on memory.\nMemory on the node", Ran: true}, 137, train.CauseOutOfMemory, "running low on memory"},
		"node died":               {Failure{Type: "JOB_SUPERVISOR_ACTOR_DIED", Message: "Job supervisor actor died: The actor died because its node has died.", Ran: true}, 137, train.CauseDisrupted, "its node has died"},
		"head came back":          {Failure{Type: "JOB_SUPERVISOR_ACTOR_START_FAILURE", Message: "Unexpected error occurred: failed to get job supervisor.", Ran: true}, 137, train.CauseDisrupted, "supervisor"},
		"never started":           {Failure{Type: "JOB_SUPERVISOR_ACTOR_START_FAILURE", Message: "Failed to start supervisor actor"}, 137, "", "Failed to start"},
		"no room":                 {Failure{Type: "JOB_SUPERVISOR_ACTOR_START_TIMEOUT", Message: "Job supervisor actor failed to start within 900 seconds."}, 137, train.CauseDisrupted, "900 seconds"},
		"package is gone":         {Failure{Type: "RUNTIME_ENV_SETUP_FAILURE", Message: "runtime_env setup failed: no package"}, 137, "", "runtime_env"},
		"no words":                {Failure{}, 137, "", "does not say"},
	} {
		t.Run(name, func(t *testing.T) {
			st := tc.failure.Status()
			if st.Phase != train.PhaseFailed || st.ExitCode != tc.exit || st.Cause != tc.cause || !strings.Contains(st.Reason, tc.words) {
				t.Errorf("%+v, want exit code %d, cause %q and %q", st, tc.exit, tc.cause, tc.words)
			}
		})
	}
}
