//go:build linux

package kuberay_test

import (
	"os/exec"
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalbox-ml/signalbox/consumers/train/kubebackend"
)

// What operators apply gives the account the rights that the tests have, and lets the pods speak with few.
func TestManifests(t *testing.T) {
	const namespace, manifests = "signalbox-ray", "../../../../deploy/training/ray"
	kubectl := func(args ...string) {
		cmd := exec.Command(theCluster.Kubectl, append([]string{"--kubeconfig", theCluster.Kubeconfig}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("kubectl %v: %v\n%s", args, err, out)
		}
	}
	kubectl("apply", "-f", manifests)
	t.Cleanup(func() { kubectl("delete", "--timeout=90s", "-f", manifests) })
	admin, err := kubebackend.Connect(theCluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	role, err := admin.RbacV1().Roles(namespace).Get(t.Context(), "signalbox-train", metav1.GetOptions{})
	if err != nil || !reflect.DeepEqual(role.Rules, rights()) {
		t.Errorf("rules %+v, %v, want %+v", role.Rules, err, rights())
	}
	policy, err := admin.NetworkingV1().NetworkPolicies(namespace).Get(t.Context(), "ray", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range policy.Spec.Ingress {
		if len(rule.From) == 0 {
			t.Error("anybody may speak with the pods")
		}
	}
	if s := policy.Spec; len(s.PodSelector.MatchLabels)+len(s.PodSelector.MatchExpressions) != 0 || len(s.PolicyTypes) != 2 {
		t.Errorf("the policy is not for all pods and both ways: %+v", s)
	}
}
